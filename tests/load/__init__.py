"""Tests of the load engine. pytest itself is never patched: servers are threads or processes, the hub is gevent's."""
