"""A run exported to an OpenTelemetry collector: sampled requests as spans, figures as metrics, over OTLP/HTTP.

The library that encodes and sends (`opentelemetry-exporter-otlp-proto-http`) is an optional extra: it is imported when
somebody asks for it. Names of attributes and metrics are those of the semantic conventions where these have one.
"""
