"""The credential agent: the process that holds the Azure SDK, and the clients that ask it. Nothing is imported here."""
