"""Texts for people: cut where their structure says, and searched by the words of a question."""
