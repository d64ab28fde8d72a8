"""Sends what is due and records what came of it: arrivals, dispatch, requests. Knows the wire; knows no Locust."""
