"""A folder for the search path of Glue scripts: the little of ``awsglue`` that pure Spark jobs need. Never imported."""
