"""What the module borrows for the time of an attempt, the conversation and the delay function, it gives back, and both
work meanwhile as the application meant them."""

import statistics

from report import equal, test
from stage import AUTH_ERR, Stage

OURS_FIRST = ["required DOOR prompt"]


def stages(*auth):
    """The same stack with our line on top and without."""
    stage = Stage()
    stage.service("plain", *auth)
    stage.service("ours", stage.ours(), *auth)
    return stage


def same(stage, *commands, **others):
    expected = stage.outcome("plain", *commands, **others)
    equal(stage.outcome("ours", *commands, **others), expected)
    return expected


@test("the application's items are the same after an attempt as before it, however it ends")
def restored():
    stage = stages("required DOOR user prompt")
    for answer in ("right", "wrong", "@err", "@null"):
        for own in (["items"], ["delayfn=1", "items"], ["conv=2", "delayfn=2", "items"], ["delayfn=1", "delayfn=0", "items"]):
            told = same(stage, "start", *own, "answer=" + answer, "auth", "items", "auth", "items", "setcred", "items", "end")
            items = [line["items"] for line in told if "items" in line]
            equal(items, [items[0]] * 4)


@test("the application's delay function is called once an attempt, with its status, the delay and its own appdata")
def delay_function():
    stage = stages("required DOOR prompt delay=800000")
    commands = ["start", "delayfn=1", "auth", "answer=right", "auth", "conv=2", "answer=wrong", "auth", "delayfn=2",
                "auth", "end"]
    told = same(stage, *commands)
    equal([(line["delay"], line["appdata"], line["status"]) for line in told if "delay" in line],
          [(1, 1, AUTH_ERR), (1, 1, 0), (1, 2, AUTH_ERR), (2, 2, AUTH_ERR)])
    for line in stage.host("ours", *commands):
        if "us" in line:
            assert 400000 <= line["us"] <= 1200000, line
        # Nobody waits beside the application's own function.
        assert line.get("ms", 0) < 400, line


@test("a delay function set or taken away between attempts is obeyed")
def delay_function_changes():
    stage = stages("required DOOR prompt delay=600000")
    told = stage.host("ours", "start", "auth", "delayfn=1", "auth", "delayfn=0", "auth", "end")
    waits = [line["ms"] for line in told if line.get("do") == "auth"]
    equal(len([line for line in told if "delay" in line]), 1)
    assert waits[0] >= 300 and waits[1] < 300 and waits[2] >= 300, waits
    equal(len(stage.records()), 3)


@test("libpam's own delay is kept: exactly as long as without us, never shorter than its least, none after success")
def delay_kept():
    stage = stages("required DOOR prompt delay=60000")
    # libpam draws the delay from the second in which the attempt begins: two attempts in a row sleep alike,
    # but where a second ends between them, or the machine is busy.
    pair = [word for service in ("plain", "ours") for word in ("service=" + service, "start", "auth", "end")]
    told = stage.host("plain", *pair * 15)
    waits = [line["ms"] for line in told if line.get("do") == "auth"]
    plain, ours = waits[::2], waits[1::2]
    equal((len(plain), len(ours)), (15, 15))
    assert min(waits) >= 30, waits
    differences = [abs(a - b) for a, b in zip(plain, ours)]
    assert statistics.median(differences) < 15, (plain, ours)
    stage = stages("required DOOR prompt delay=1000000")
    right = stage.host("ours", "start", "answer=right", "auth", "end")
    assert right[-2]["ms"] < 500, right


@test("a signal that the application handles cuts the delay short, as it cuts libpam's")
def delay_cut():
    stage = stages("required DOOR prompt delay=4000000")
    for service in ("plain", "ours"):
        told = stage.host(service, "start", "alarm=300", "auth", "end")
        assert 250 <= told[-2]["ms"] < 1500, (service, told)
        equal(told[-2]["code"], AUTH_ERR)


@test("each module's own question reaches the application, unchanged and in order, and our line adds none")
def conversation():
    stage = stages("optional pam_echo.so some words", "required DOOR user prompt", "required DOOR prompt")
    told = same(stage, "start", "answer=right", "auth", "end", user="-")
    equal([line["text"] for line in told if "conv" in line], ["some words", "login: ", "Password: ", "Password: "])


@test("a conversation that the application replaces between attempts is the one that is asked, and watched")
def conversation_replaced():
    stage = stages("required DOOR prompt")
    told = same(stage, "start", "auth", "conv=2", "answer=@err", "auth", "items", "conv=1", "auth", "items", "end")
    equal([line["conv"] for line in told if "conv" in line], [1, 2, 1])
    equal([r["class"] for r in stage.records()], ["failure", "aborted", "aborted"])


@test("a conversation that authenticates on another handle meanwhile is recorded there and here, once each")
def nested():
    stage = stages("required DOOR prompt delay=20000")
    stage.service("inner", stage.ours(), "required DOOR prompt")
    commands = ["start", "answer=@nested", "auth", "items", "answer=@nested", "auth", "end"]
    told = same(stage, *commands)
    equal([line["nested"] for line in told if "nested" in line], [AUTH_ERR] * 2)
    # "plain" ran the inner stack too, which has our line.
    equal([r["service"] for r in stage.records()], ["inner"] * 2 + ["inner", "ours"] * 2)


@test("pam_end right after an attempt, without pam_setcred, and after none at all is well")
def ended():
    stage = stages("required DOOR prompt")
    same(stage, "start", "end", "start", "auth", "end", "start", "answer=right", "auth", "end", "start", "setcred", "end")
