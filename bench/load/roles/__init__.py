"""Who does what in a run: the master starts and ends it, workers send. The only room that imports Locust, but for
`load.user`."""
