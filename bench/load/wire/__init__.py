"""HTTP/1.1 over gevent sockets: connections, answers, deadlines, TLS. Edge; knows no Locust and no run."""
