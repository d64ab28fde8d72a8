"""A history kept in an MLflow experiment, where the team already looks: a run of it for each line.

address      ·  where the tracking server is, by MLflow's own variables, and what may be sent there
messages     ·  a line of a history as an MLflow run, and back
server       !  asks it over HTTP: bounded, no redirect followed, errors without what it said
experiment   !  adds a line and reads all of them

It is MLflow's REST API, which an Azure ML workspace speaks too; neither `mlflow` nor `azureml-mlflow` is needed.
"""
