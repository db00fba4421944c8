"""From an archived response to dated buying-signal events with evidence."""
