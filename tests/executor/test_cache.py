"""What the memory cache keeps, and what it forgets first."""

import random
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.cache import ENTRY_BYTES, Memo, MemoryCache
from executor.signature import Signature

SIZE = 1000
UNIT = SIZE + ENTRY_BYTES


def cache(slots):
    """A cache with room for `slots` memos of SIZE bytes."""
    return MemoryCache(slots * (SIZE + ENTRY_BYTES), size_of=len)


def memo(seconds=1.0, size=SIZE):
    return Memo(((b"x" * size,),), None, seconds)


def check(slots, script, held):
    """Script words: `a1` puts a memo that took 1 s, `a3/2` one of twice the size, `?a` uses it."""
    tested = cache(slots)
    for word in script.split():
        if word[0] == "?":
            tested.get(Signature(word[1]))
            continue
        seconds, _, factor = word[1:].partition("/")
        tested.put(Signature(word[0]), memo(float(seconds), SIZE * int(factor or 1)))
    assert "".join(name for name in "abcdefgh" if tested.has(Signature(name))) == held


def test_the_cheapest_to_make_again_goes_first():
    check(2, "a5 b1 c5", "ac")
    check(2, "a1 b5 c5", "bc")


def test_cost_is_per_byte():
    check(3, "a4/2 b3 c3", "bc")
    check(3, "a9/2 b3 c3", "ac")


def test_the_longest_unused_goes_first_among_equals():
    check(2, "a1 b1 c1", "bc")
    check(2, "a1 b1 ?a c1", "ac")


def test_what_is_dear_but_never_used_again_goes_in_the_end():
    """Each eviction raises the floor that newer memos start from."""
    check(2, "a3 b1 c1 d1 e1 f1 g1 h1", "gh")


def test_one_that_exceeds_the_budget_is_not_kept_and_evicts_nothing():
    check(2, "a1 b1 c9/9", "ab")


def test_putting_again_replaces():
    tested = cache(2)
    tested.put(Signature("a"), memo(size=10))
    tested.put(Signature("a"), memo(size=20))
    assert len(tested) == 1
    assert tested.used == 20 + ENTRY_BYTES
    got = tested.get(Signature("a"))
    assert got is not None
    assert len(got.outputs[0][0]) == 20


def test_clearing_forgets_everything():
    tested = cache(2)
    tested.put(Signature("a"), memo())
    tested.clear()
    assert tested.used == 0
    assert tested.get(Signature("a")) is None
    tested.put(Signature("b"), memo())
    assert tested.has(Signature("b"))


OPERATIONS = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.floats(0, 10), st.integers(0, 3000), st.booleans()), max_size=60
)


@given(OPERATIONS)
def test_the_budget_holds_whatever_happens(operations):
    tested = cache(3)
    held: dict[str, Memo] = {}
    for name, seconds, size, use in operations:
        if use:
            assert tested.get(Signature(name)) in (None, held.get(name))
        else:
            held[name] = memo(seconds, size)
            tested.put(Signature(name), held[name])
        assert tested.used <= tested.budget
        sizes = [len(held[one].outputs[0][0]) + ENTRY_BYTES for one in held if tested.has(Signature(one))]
        assert tested.used == sum(sizes)


def test_several_threads_may_use_it():
    tested = cache(5)
    failures = []

    def work(seed):
        rng = random.Random(seed)
        try:
            for _ in range(2000):
                name = Signature(rng.choice("abcdefghij"))
                if rng.random() < 0.5:
                    tested.put(name, memo(rng.random(), rng.randrange(2000)))
                else:
                    tested.get(name)
        except Exception as error:  # noqa: BLE001 - told below, on the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert 0 <= tested.used <= tested.budget


def test_the_number_of_memos_may_be_limited_too():
    for most, held in ((2, "bc"), (0, ""), (9, "abc")):
        tested = MemoryCache(2**20, size_of=len, most_memos=most)
        for name in "abc":
            tested.put(Signature(name), memo())
        assert "".join(name for name in "abc" if tested.has(Signature(name))) == held
        assert len(tested) == len(held)


def test_what_the_machine_lacks_is_given_up_the_cheapest_first():
    lacking = 0
    tested = MemoryCache(1000 * UNIT, size_of=len, shortage=lambda: lacking)
    for name, seconds in (("dear", 9.0), ("cheap", 1.0), ("middling", 5.0)):
        tested.put(Signature(name), memo(seconds))
    lacking = UNIT + 1
    tested.put(Signature("new"), memo(7.0))
    assert [name for name in ("dear", "cheap", "middling", "new") if tested.has(Signature(name))] == ["dear", "new"]
    lacking = 10**12
    tested.put(Signature("last"), memo(7.0))
    assert (len(tested), tested.used) == (0, 0)


@pytest.mark.parametrize(("only_current", "left"), [(True, {"b"}), (False, {"a", "b"})])
def test_a_run_may_make_it_forget_what_does_not_occur_in_it(only_current, left):
    tested = MemoryCache(1000 * UNIT, only_current=only_current)
    for name in "ab":
        tested.put(Signature(name), Memo(((0,),)))
    tested.retain([Signature("b"), Signature("c")])
    assert {name for name in "abc" if tested.has(Signature(name))} == left
