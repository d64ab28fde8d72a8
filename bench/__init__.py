"""Load-testing and latency-benchmarking harness for Azure Machine Learning online endpoints.

The rooms, and which way they may import each other, are drawn in `docs/architecture.md`. This
package is empty on purpose: importing it must cost nothing and patch nothing.
"""
