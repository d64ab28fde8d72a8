"""How the processes of one run are started, handed their plan, found again and ended."""
