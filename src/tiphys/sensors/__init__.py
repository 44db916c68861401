"""What decides: dependencies, filters, transforms, conditions, parameters, delivery of actions."""
