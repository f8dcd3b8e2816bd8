"""The CI/CD pipeline of a fork: builds, tests and deploys the solution at each push, and updates itself first.

CDK only; what the pipeline deploys is handed to it. See README.md in this folder.
"""
