# Follows the Python of docs/assignment.md: answers the vectors on standard input in their own shape.
import json
import sys

vectors = json.load(sys.stdin.buffer)


def pairs(variants):
    return [(v["name"], v.get("weight")) for v in variants]


print(json.dumps({
    "slots": [{"slot": slot(v["salt"], v["key"])} for v in vectors["slots"]],
    "weights": [{"slots": slots(percent(v["weight"]))} for v in vectors["weights"]],
    "splits": [{"slot": slot(v["salt"], v["key"]), "variant": variant(v["salt"], pairs(v["variants"]), v["key"])} for v in vectors["splits"]],
    "rules": [{"slot": slot(v["salt"] + "/" + v["rule"], v["key"]), "in": in_rule(v["salt"], v["rule"], v["percent"], v["key"])}
              for v in vectors["rules"]],
    "keys": [{"variant": variant(v["salt"], pairs(v["variants"]), v["key"])} for v in vectors["keys"]],
}))
