"""What a campaign is: its spec, how a definition is read, stored and compiled, and whether a run may go.

Owns the one definition of a campaign (`spec`), the reading of YAML definitions (`definition`), their versions
in the campaign store (`apply`), the manifests Airflow's loaders read (`manifest`), the decision every run starts
with (`guard`) and the run's snapshot (`runs`). It sends nothing and knows nothing of Airflow.
"""
