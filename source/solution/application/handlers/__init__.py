"""One module per Lambda function: parse the event, call one use case, return. No decisions, no AWS calls."""
