"""Words about a model that is looked after: rules, the policy table, alerts."""
