#!/usr/bin/env python3
"""How Grayling assigns a client to a variant, written down a second time.

This is the reference for docs/assignment.md. It needs only the Python standard library (3.8 or newer) and shares nothing
with the engine. It writes the test vectors to standard output, the same bytes on every run:

    python3 docs/assignment_vectors.py > docs/assignment-vectors.json
"""

import hashlib
import json
import re

# ---- the rule


def slot(salt, key):
    """The client's place on the line of 65,536 slots."""
    digest = hashlib.sha256(salt.encode() + b"\x00" + key.encode()).digest()
    return int.from_bytes(digest[:2], "big")


def micro(weight):
    """A percentage such as "5", "5%" or "0.25%" as a whole number: 100% is 100,000,000."""
    whole, _, fraction = weight.rstrip("%").partition(".")
    return int(whole + fraction.ljust(6, "0"))


def slots(u):
    """How many slots u micro-percent are, rounded to the nearest."""
    return (u * 65536 + 50_000_000) // 100_000_000


def ranges(variants):
    """What every (name, weight) owns, as {name: (from, to)}: from is inside, to is not. The first is the baseline."""
    (baseline, _), (candidate, weight), *further = variants
    low = slots(micro(weight))
    high = 65536
    owned = {candidate: (0, low)}
    total = 0
    for name, weight in further:
        total += micro(weight)
        owned[name] = (max(low, 65536 - slots(total)), high)
        high = owned[name][0]
    owned[baseline] = (low, high)
    return owned


def variant(salt, variants, key):
    """The variant that the split gives to a key. No key is the baseline."""
    if key == "":
        return variants[0][0]
    at = slot(salt, key)
    return next(name for name, (start, end) in ranges(variants).items() if start <= at < end)


def in_rule(salt, rule, percent, key):
    """Whether a rule's percentage takes in a key."""
    return key != "" and slot(salt + "/" + rule, key) < slots(micro(percent))


# ---- what a configuration may not say


def problem(variants):
    """Why these weights are refused, or None."""
    for _, weight in variants:
        if weight is None:
            continue
        if not re.fullmatch(r"[0-9]+(\.[0-9]{1,6})?%?", weight):
            return "not a percentage: digits, optionally a point and one to six digits, optionally %"
        if 0 < micro(weight) * 65536 < 100_000_000:
            return "above 0 and below one slot"
    (_, baseline), *others = variants
    total = sum(micro(weight) for _, weight in others)
    if total > 100_000_000:
        return "together more than 100%"
    if baseline is not None and total + micro(baseline) != 100_000_000:
        return "the baseline is declared and the sum is not 100%"
    return None


# ---- the vectors

SENTENCE = "The quick brown fox jumps over the lazy dog. "

# Escapes keep apart what looks the same on the screen.
KEYS = [
    # what clients are identified by
    "alice", "bob", "carol", "Alice", "ALICE", "alice ", " alice", "0", "1", "42", "042", "-1", "65535", "65536",
    "4294967296", "user-1", "user-2", "user_3", "user/4", "user:5", "user@example.com", "user+tag@example.com",
    "127.0.0.1", "10.0.0.1", "203.0.113.7", "::1", "2001:db8::1", "2001:0db8:0000:0000:0000:0000:0000:0001",
    "fe80::1%eth0", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "6BA7B810-9DAD-11D1-80B4-00C04FD430C8",
    "auth0|5f7c8ec7c33c6c004bbafe82", "dGVzdA==", "a", "A", "aa", "true", "false", "null", "undefined", "NaN",
    # marks that some layer may quote, split or expand
    " ", "  ", "\t", "\n", "\r\n", "line one\nline two", "tab\there", '"', "'", "''", '"quoted"', "\\", "\\\\", "\\n",
    "\\u0000", "back\\slash", "%", "%00", "%20", "5%", "$1", "${HOME}", "{http.request.host}", "{{.Key}}", "`", "a,b",
    "a;b", "a=b", "a&b", "<script>", "</script>", "&amp;", "--", "/* */", "'; DROP TABLE users; --", "/", "//", ".",
    "..", "*", "?", "#", "~", "|", "[]", "{}", "()",
    # control characters; a NUL inside a key is data, not an end
    "\x00", "a\x00", "\x00a", "a\x00b", "a\x00\x00b", "\x01", "\x07", "\x08", "\x0b", "\x0c", "\x1b[31mred\x1b[0m",
    "\x1f", "\x7f", "\u0080", "\u009f",
    # letters outside ASCII; composed and decomposed are different keys
    "\u00e9", "e\u0301", "M\u00fcller", "Mu\u0308ller", "stra\u00dfe", "STRASSE", "\u0130stanbul", "\u0131", "\u00f1and\u00fa",
    "\u0391\u03b8\u03ae\u03bd\u03b1", "\u041c\u043e\u0441\u043a\u0432\u0430", "\u05e9\u05dc\u05d5\u05dd", "\u0645\u0631\u062d\u0628\u0627",
    "\u0661\u0662\u0663", "\u0928\u092e\u0938\u094d\u0924\u0947", "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35", "\u65e5\u672c\u8a9e", "\u4f60\u597d",
    "\uc548\ub155", "\u1112\u1161\u11ab\u1100\u1173\u11af", "\uff21\uff22\uff23", "\u2167", "\ufb01", "q\u0307\u0323", "q\u0323\u0307",
    # beyond the basic plane, and characters that cannot be seen
    "\U0001f600", "\U0001f44d\U0001f3fd", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f1e9\U0001f1ea", "\U00020000",
    "\U0001d11e", "\U0010ffff", "\u00a0", "\u00ad", "\u200b", "\u200e", "\u200f", "\u202eabc\u202c", "\u2028", "\u2029", "\ufeff", "\ufeffalice",
    "\ufffd", "\uffff", "mixed \u05d0\u05d1\u05d2 and abc",
    # long
    "x" * 55, "x" * 56, "x" * 63, "x" * 64, "x" * 65, "x" * 127, "x" * 128, "x" * 255, "x" * 256, "x" * 1024, "x" * 2048,
    (SENTENCE * 23)[:1024], "\u00e9" * 512, "\u65e5\u672c" * 150, "\U0001f600" * 100,
]

SALTS = [
    "checkout", "Checkout", "checkout ", "checkout-2", "checkout/eu", "/", "a", "0", "shop.example/v2", "salt with spaces",
    'quo"te\'s', "back\\slash", "50%", "\u00fcbersicht", "\u30ea\u30ea\u30fc\u30b9", "\U0001f680", "s" * 200,
]


def spec(text):
    """Variants from "stable canary=5%": a baseline without a weight takes the remainder."""
    return tuple((name, weight or None) for name, _, weight in (word.partition("=") for word in text.split()))


# The variants that assignment.md takes as its example.
EXAMPLE = spec("stable canary=5% blue=10% green=0.25%")

SETS = [EXAMPLE] + [spec(text) for text in [
    # two
    "stable canary=0%", "stable canary=0.001526%", "stable canary=0.01%", "stable canary=0.25%", "stable canary=1",
    "stable canary=1%", "stable canary=5", "stable canary=5.5%", "stable canary=10%", "stable canary=12.5%", "stable canary=33.333333%",
    "stable canary=50%", "stable canary=66.666667%", "stable canary=99%", "stable canary=99.999999%", "stable canary=100%",
    "stable=95% canary=5%", "stable=0% canary=100%", "stable=100% canary=0%", "stable=66.666667% canary=33.333333%",
    # three
    "a b=33% c=33%", "a b=33.333333% c=33.333333%", "a=33.333334 b=33.333333 c=33.333333", "a b=50% c=50%", "a b=0% c=10%",
    "a b=10% c=0%", "a b=0% c=100%", "a b=0.002% c=0.002%", "a=50% b=25% c=25%", "a b=99.99% c=0.01%", "a b=5% c=95%",
    # four
    "a b=25% c=25% d=25%", "a=10% b=20% c=30% d=40%", "a b=1.1% c=2.22% d=3.333%", "a b=0% c=0% d=0%", "a b=30% c=0% d=30%",
    # five: cumulative rounding keeps the sum exact where rounding one by one would not
    "a b=20% c=20% d=20% e=20%", "a=20 b=20 c=20 d=20 e=20", "a b=0.0023% c=0.0023% d=0.0023% e=0.0023%",
    "a b=14.285714% c=14.285714% d=14.285714% e=14.285714%", "a=0% b=0.5% c=33.3% d=33.2% e=33%",
    "\u5b89\u5b9a canary=12.345678% \U0001f680=7.654321% d\u00e9j\u00e0=0.1% green=1%",
]]

WEIGHTS = [
    "0", "0%", "0.0%", "0.000000%", "0.001526%", "0.0016%", "0.002%", "0.00228%", "0.00229%", "0.01", "0.01%", "0.1%", "0.25%", "0.5%", "1",
    "1%", "1.0%", "1.000000%", "01%", "001.50%", "2.5%", "5", "5%", "5.000001%", "10%", "12.5%", "25%", "33.333333%", "50%", "50.000763%",
    "66.666667%", "75%", "90%", "99%", "99.9%", "99.999%", "99.999237%", "99.999238%", "99.999999%", "100", "100%", "100.000000%",
]

REFUSED = [spec(text) for text in [
    "stable canary=0.001525%", "stable canary=0.001%", "stable canary=0.000001%", "stable=99.999% canary=0.001%", "stable=0.001% canary=99.999%",
    "stable canary=100.000001%", "stable canary=101%", "stable canary=1000000%", "a b=50% c=50.000001%", "a b=40% c=40% d=40%",
    "stable=95% canary=4.999999%", "stable=95% canary=5.000001%", "stable=50% canary=0%", "stable=100% canary=5%", "stable=0% canary=5%",
    "stable canary=-1%", "stable canary=+1%", "stable canary=.5%", "stable canary=5.%", "stable canary=1,5%", "stable canary=1e1%",
    "stable canary=0x10", "stable canary=5%%", "stable canary=%", "stable canary=1.2.3%", "stable canary=0.2500000%",
    "stable canary=five", "stable canary=NaN", "stable canary=\u0665%", "stable canary=1_000",
]]

# The values of a request's key expressions, in their order.
VALUES = [
    ["alice"], [""], ["", ""], ["", "alice"], ["", "", "203.0.113.7"], ["alice", "bob"], ["alice", ""], ["", "alice", "bob"],
    [" ", "alice"], ["\x00", "alice"], ["0", "alice"], ["false", "alice"],
]

RULES = ["eu", "qa", "eu/west", "phones", "\u65e5\u672c"]
PERCENTS = ["0%", "0.001526%", "0.25%", "1", "20%", "33.333333%", "50%", "99.9%", "100%"]


def keys_in(salt, wanted, walks={}):
    """For every wanted slot the first of client-0, client-1, ... that lies in it. Each salt is walked once."""
    found = walks.setdefault(salt, {"next": 0})
    while not all(at in found for at in wanted):
        key = "client-%d" % found["next"]
        found["next"] += 1
        found.setdefault(slot(salt, key), key)
    return [found[at] for at in sorted(wanted)]


def beside(boundaries):
    """The slots on both sides of every boundary, and both ends of the line."""
    return {0, 65535} | {at for b in boundaries for at in (b - 1, b) if 0 <= at < 65536}


def every(step, start, items):
    """Every step-th item, to spread a long list over many sets."""
    return items[start % step::step]


def as_json(variants):
    return [{"name": name} if weight is None else {"name": name, "weight": weight} for name, weight in variants]


def slot_vectors():
    pairs = [("checkout", key) for key in KEYS]
    pairs += [(salt, key) for n, salt in enumerate(SALTS[1:]) for key in every(29, n, KEYS)]
    for salt, key in pairs:
        yield {"salt": salt, "key": key, "slot": slot(salt, key)}
    for salt in SALTS[:3]:
        yield {"salt": salt, "key": "", "slot": slot(salt, ""), "note": "the function only: a request with an empty key has no key"}


def split_vectors():
    cases = [("checkout", EXAMPLE, key) for key in every(3, 0, KEYS)]
    for n, variants in enumerate(SETS):
        salt = SALTS[n % 6 * 3]
        edges = beside(edge for owned in ranges(variants).values() for edge in owned)
        cases += [(salt, variants, key) for key in keys_in(salt, edges) + every(60, n, KEYS)]
    for salt, variants, key in dict.fromkeys(cases):
        yield {"salt": salt, "variants": as_json(variants), "key": key, "slot": slot(salt, key), "variant": variant(salt, variants, key)}


def rule_vectors():
    for n, rule in enumerate(RULES):
        for m, percent in enumerate(PERCENTS):
            salt = SALTS[n * 4]
            for key in keys_in(salt + "/" + rule, beside([slots(micro(percent))])) + every(170, n * 31 + m * 7, KEYS):
                yield {"salt": salt, "rule": rule, "percent": percent, "key": key, "slot": slot(salt + "/" + rule, key),
                       "in": in_rule(salt, rule, percent, key)}


def key_vectors():
    for variants in (EXAMPLE, spec("stable canary=100%")):
        for values in VALUES:
            key = next((value for value in values if value != ""), "")
            yield {"salt": "checkout", "variants": as_json(variants), "values": values, "key": key, "variant": variant("checkout", variants, key)}


def range_vectors():
    for variants in SETS:
        owned = ranges(variants)
        yield {"variants": as_json(variants), "ranges": [{"name": name, "from": owned[name][0], "to": owned[name][1]} for name, _ in variants]}


def main():
    about = [
        "Test vectors for docs/assignment.md, written by docs/assignment_vectors.py.",
        "slots: slot of a salt and a key.",
        "weights: a percentage in micro-percent (100% is 100000000) and in slots.",
        "ranges: what every variant owns, in declared order; from is inside, to is not; equal means nothing.",
        "splits: the variant of a key. A baseline without a weight takes the remainder.",
        "rules: whether a rule's percentage takes in a key; slot is that of salt + / + rule.",
        "keys: values are what a request's key expressions give, in order; key is the one that counts, empty if there is none.",
        "refused: weights that are a configuration error, and why.",
    ]
    assert all(problem(variants) is None for variants in SETS)
    sections = {
        "slots": slot_vectors(),
        "weights": ({"weight": weight, "micro": micro(weight), "slots": slots(micro(weight))} for weight in WEIGHTS),
        "ranges": range_vectors(),
        "splits": split_vectors(),
        "rules": rule_vectors(),
        "keys": key_vectors(),
        "refused": ({"variants": as_json(variants), "why": problem(variants)} for variants in REFUSED),
    }
    parts = []
    for name, cases in [("about", about)] + list(sections.items()):
        lines = ["    " + json.dumps(case) for case in cases]
        parts.append('  "%s": [\n%s\n  ]' % (name, ",\n".join(lines)))
    print("{\n%s\n}" % ",\n".join(parts))


if __name__ == "__main__":
    main()
