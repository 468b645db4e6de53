"""Prints, as a JSON list, every statement of docs/assignment.md that holds a number, with the number computed anew."""

import hashlib
import json
from collections import Counter
from decimal import Decimal
from math import gcd
from pathlib import Path

import assignment_vectors
from assignment_vectors import EXAMPLE, KEYS, SALTS, SETS, micro, ranges, slot, slots, spec, variant


def line(text):
    """Who owns each of the slots."""
    owner = [None] * 65536
    for name, (start, end) in ranges(spec(text)).items():
        owner[start:end] = [name] * (end - start)
    return owner


def moved(before, after):
    """How many slots change hands, by (from, to)."""
    return Counter(pair for pair in zip(line(before), line(after)) if pair[0] != pair[1])


def largest_error():
    """How far the share of a variant is from its weight at most, in percentage points."""
    return max(abs(Decimal(end - start) * 100 / 65536 - Decimal(micro(weight)) / 1_000_000)
               for variants in SETS for name, weight in variants if weight is not None
               for start, end in [ranges(variants)[name]])


def overlap():
    """The share of a rollout's 5% among the clients in the 5% of another one."""
    keys = ["client-%d" % n for n in range(200_000)]
    first = [key for key in keys if slot("checkout", key) < slots(micro("5%"))]
    return sum(slot("search", key) < slots(micro("5%")) for key in first) / len(first)


step = moved("stable canary=5% blue=10% green=0.25%", "stable canary=10% blue=10% green=0.25%")
last = moved("stable canary=5% blue=10% green=0.25%", "stable canary=5% blue=10% green=1%")
early = moved("stable canary=5% blue=10% green=0.25%", "stable canary=5% blue=12% green=0.25%")
smallest = next(u for u in range(1, 100_000_000) if u * 65536 >= 100_000_000)
example = ranges(EXAMPLE)
alice = slot("checkout", "alice")
vectors = json.loads(Path(assignment_vectors.__file__).with_name("assignment-vectors.json").read_text())
cases = sum(len(entries) for name, entries in vectors.items() if name != "about")

# What the statements say beside their numbers.
assert set(step) == {("stable", "canary")}
assert set(last) == {("stable", "green")}
assert set(early) == {("stable", "blue"), ("green", "blue"), ("stable", "green")}
assert 50_000_000 % gcd(65536, 100_000_000) != 0, "u * 65536 = 50,000,000 modulo 100,000,000 has a solution: a half occurs"
assert largest_error() < Decimal("0.00153"), largest_error()
assert round(Decimal(100) / 65536, 5) == Decimal("0.00153")
assert abs(overlap() - 0.05) < 0.005, overlap()
assert slot("checkout", "alice") == int(hashlib.sha256(b"checkout\x00alice").hexdigest()[:4], 16)
assert len({slot("checkout", key) for key in ("alice", "Alice", "alice ")}) == 3
assert max(len(text.encode()) for text in KEYS + SALTS) == 2048
assert any(ord(c) > 0xFFFF for key in KEYS for c in key)

print(json.dumps([
    "a line of %s slots" % format(1 << 16, ","),
    "slot = the first two bytes, big-endian, of SHA-256(salt + 0x00 + key)",
    "the key `alice` has a digest that begins with `%04x`: slot %d" % (alice, alice),
    "with up to six decimals: `5`, `5%`, `0.25%`",
    "slots(weight) = weight × %d / 100, rounded to the nearest whole number" % slots(micro("100%")),
    "So 5%% is %s slots." % format(slots(micro("5%")), ","),
    "A weight above 0 and below one slot is a configuration error: the smallest is %.6f%%." % (smallest / 1e6),
    "They may come to 100% at most",
    "only if all weights come to exactly 100%",
    "It owns the slots from 0 to below `slots(its weight)`.",
    "own ranges from 65,536 downwards",
    "begins at 65,536 − `slots(the sum of the further weights so far)`",
    "With `stable`, `canary` %s, `blue` %s and `green` %s:" % tuple(weight for _, weight in EXAMPLE[1:]),
    "| canary | %d | %d | slots(5%%) |" % example["canary"],
    "| stable | %d | %d | the middle |" % example["stable"],
    "| green | %d | %d | 65536 − slots(10%% + 0.25%%) |" % example["green"],
    "| blue | %d | %d | 65536 − slots(10%%) |" % example["blue"],
    "`alice`, in slot %d, gets `%s`." % (alice, variant("checkout", EXAMPLE, "alice")),
    "less than 0.00153 percentage points",
    "From 5%% to 10%% the candidate gains %s slots" % format(step["stable", "canary"], ","),
    "Raising `green` from 0.25%% to 1%% moves %d slots, all from `stable` to `green`." % last["stable", "green"],
    "Raising `blue` from 10%% to 12%% moves %s slots from `stable` to `blue`, but also %d from `green` to `blue` and %d from `stable` to `green`."
    % (format(early["stable", "blue"], ","), early["green", "blue"], early["stable", "green"]),
    "Clients in the 5% of one rollout are as likely as any other to be in the 5% of another.",
    "whether a rule `eu` with 20% takes the user in",
    "cannot hold the character 0",
    "holds about %s cases" % format(round(cases, -2), ","),
    "characters beyond U+FFFF, and keys of 2 KiB",
]))
