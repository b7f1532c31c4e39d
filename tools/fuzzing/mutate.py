"""Small changes of inputs: of bytes, of trees as JSON has them, of values that hide a limit."""

import json
import math

INTEGERS = [0, 1, 2, 3, 4, 7, 8, 16, 127, 255, 256, 1 << 15, 1 << 16, (1 << 31) - 1, 1 << 31]
INTEGERS += [(1 << 32) - 1, 1 << 32, (1 << 53) + 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, 1 << 64]
NUMBERS = INTEGERS + [-n for n in INTEGERS] + [10**30, 10**400, 0.5, 1.5, -0.0, 1e-320, 1e-50]
NUMBERS += [1e38, 1e39, 1e300, -1e308, math.nan, math.inf, -math.inf]
OTHERS = [None, True, False, "", "a", "1", "\ud800", "nan", [], {}, [[]], [0], ["a", 1], {"a": 1}]
DEEP = "a deep list"  # json.dumps could not write one, so a word stands for it.


# ---- Bytes ---------------------------------------------------------------------------------------


def change_bytes(random, data, other=b""):
    """``data`` after one to four changes; ``other`` gives pieces."""
    data = bytearray(data)
    for _ in range(random.choice([1, 1, 1, 2, 4])):
        start = random.randrange(len(data) + 1)
        length = min(random.choice([0, 1, 1, 1, 2, 4, 8, 64]), len(data) - start)
        data[start : start + length] = _piece(random, data[start : start + length], other)
    return bytes(data)


def _piece(random, old, other):
    """What takes the place of a piece of bytes."""
    way = random.randrange(7)
    if way == 0 and old:
        return bytes([old[0] ^ 1 << random.randrange(8)]) + old[1:]
    if way == 1:
        return b""
    if way == 2:
        return old * random.choice([2, 2, 3, 50])
    if way == 3:
        size = random.choice([1, 2, 4, 8])
        order = random.choice(["little", "big"])
        return (random.choice(INTEGERS) % (1 << 8 * size)).to_bytes(size, order)
    if way == 4 and other:
        start = random.randrange(len(other))
        return other[start : start + random.choice([1, 4, 16, 100])]
    return random.randbytes(max(len(old), 1))


# ---- Trees ---------------------------------------------------------------------------------------


def change_tree(random, tree, words=(), other=None):
    """A copy of ``tree`` after one to three changes; ``other`` is a tree that gives branches."""
    tree = json.loads(json.dumps(tree))
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        places = list(_places(tree))
        if not places:
            return _value(random, words)
        holder, key = random.choice(places)
        way = random.randrange(8)
        if way == 0:
            del holder[key]
        elif way == 1:
            _, (source, name) = random.choice(places), random.choice(places)
            holder[key] = json.loads(json.dumps(source[name]))
        elif way == 2 and isinstance(holder, dict):
            holder[random.choice([*words, "a"])] = holder.pop(key)
        elif way == 3 and isinstance(holder, list):
            is_leaf = not isinstance(holder[key], (dict, list))
            holder[key:key] = [holder[key]] * random.choice([1, 1, 2, 300 if is_leaf else 3])
        elif way == 4 and type(holder[key]) is int:
            holder[key] += random.choice([-1, 1, 8, -holder[key] * 2])
        elif way == 5 and other is not None and (branches := list(_places(other))):
            source, name = random.choice(branches)
            holder[key] = json.loads(json.dumps(source[name]))
        elif way == 6 and isinstance(holder, dict):
            holder[random.choice([*words, "a"])] = _value(random, words)
        else:
            holder[key] = _value(random, words)
    return tree


def _places(tree):
    """(holder, key) of each branch and leaf."""
    items = ()
    if isinstance(tree, dict):
        items = tree.items()
    elif isinstance(tree, list):
        items = enumerate(tree)
    for key, value in items:
        yield tree, key
        yield from _places(value)


def _value(random, words):
    way = random.randrange(6)
    if way == 0:
        return random.choice(OTHERS)
    if way == 1:
        return DEEP
    if way == 2 and words:
        return random.choice(words)
    if way == 3:
        return [random.choice(NUMBERS) for _ in range(random.randrange(4))]
    return random.choice(NUMBERS)


def text(random, tree):
    """JSON of a tree, where words for deep lists become deep lists."""
    deep = random.choice([40, *range(880, 1000, 4), 200_000])
    return json.dumps(tree).replace(json.dumps(DEEP), "[" * deep + "]" * deep)
