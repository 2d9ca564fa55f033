"""The stack's outcome and its words are the same with our line and without, whatever the line says."""

import os

from report import equal, test
from stage import AUTH_ERR, IGNORE, MODULE, SUCCESS, Stage

CONTROLS = ["required", "requisite", "sufficient", "optional", "[default=ignore]",
            "[success=ok new_authtok_reqd=ok ignore=ignore default=bad]"]
ALL_SIX = ["auth", "setcred", "acct", "open", "close", "chauthtok"]
ANSWERS = ["right", "wrong", "", "@err", "@null", "@none"]

# Stacks, and the places where a line may be put without moving the target of a jump.
STACKS = {
    "one module": (["required DOOR prompt"], [0, 1]),
    "Debian's": (["[success=1 default=ignore] DOOR prompt", "requisite pam_deny.so", "required pam_permit.so"],
                 [0, 2, 3]),
    "Debian's with our line in its failure branch":
        (["[success=2 default=ignore] DOOR prompt", "optional pam_permit.so", "requisite pam_deny.so",
          "required pam_permit.so"], [0]),
    "two that both must admit": (["required DOOR prompt", "required DOOR prompt"], [0, 1, 2]),
    "one that suffices": (["sufficient DOOR prompt", "required DOOR return=9"], [0, 1, 2]),
    "refused before anybody is asked": (["requisite DOOR return=6", "required DOOR prompt"], [0, 1, 2]),
    "too many tries": (["required DOOR return=11"], [0, 1]),
    "an expired password": (["required DOOR return=12"], [0, 1]),
    "a refusal that ends everything": (["[success=ok default=die] DOOR prompt", "required pam_permit.so"], [0, 1, 2]),
    "credentials that cannot be set": (["required DOOR prompt setcred=16"], [0, 1]),
}


def with_and_without(stage, lines, place, control, answer, arguments=""):
    commands = ["start", "answer=" + answer, *ALL_SIX, "end"]
    stage.service("plain", *lines)
    stage.service("ours", *lines[:place], stage.ours(control, arguments), *lines[place:])
    about = "%r, line %d, %s %s, answer %r" % (lines, place, control, arguments, answer)
    equal(stage.outcome("ours", *commands), stage.outcome("plain", *commands), about)


def compare_stack(name):
    def compare():
        stage = Stage()
        lines, places = STACKS[name]
        for place in places:
            for control in CONTROLS:
                for answer in ANSWERS if control == "optional" else ANSWERS[:2]:
                    with_and_without(stage, lines, place, control, answer)
        with_and_without(stage, lines, 0, "optional", "wrong", "authfail")
        with_and_without(stage, lines, 0, "optional", "wrong", "debug")
    return compare


for stack in STACKS:
    test("the stack '%s' ends the same with our line anywhere in it and with any control" % stack)(compare_stack(stack))


@test("a line in account, password or session changes nothing; what a session records is a login")
def other_kinds():
    stage = Stage()
    for kind in ("account", "password", "session"):
        for control in CONTROLS:
            for code in (0, 7, 13):
                key = {"account": "acct", "password": "chauthtok", "session": "open"}[kind]
                own = "required DOOR %s=%d" % (key, code)
                stage.service("plain", "required pam_permit.so", **{kind: [own]})
                for lines in ([stage.ours(control), own], [own, stage.ours(control)]):
                    stage.service("ours", "required pam_permit.so", **{kind: lines})
                    commands = ["start", *ALL_SIX, "end"]
                    equal(stage.outcome("ours", *commands), stage.outcome("plain", *commands), repr(lines))
    # Root that asks nobody is not a login.
    equal({record["class"] for record in stage.records()}, set() if os.getuid() == 0 else {"login"})


@test("[default=die] and [default=bad] on our line never admit anybody, but change the message in the failure branch, as documented")
def dying():
    for control in ("[default=die]", "[default=bad]"):
        stage = Stage()
        stage.service("ours", "required DOOR prompt", stage.ours(control))
        right = stage.host("ours", "start", "answer=right", "auth", "end")
        if right[-2]["code"] == SUCCESS:
            raise AssertionError("%s: %r" % (control, right))
        wrong = stage.host("ours", "start", "answer=wrong", "auth", "end")
        equal(wrong[-2]["text"], "Authentication failure", "%s behind a required module" % control)
        # After the failing pam_unix, in front of pam_deny: where a profile would put it.
        stage.service("branch", "[success=2 default=ignore] DOOR prompt", stage.ours(control),
                      "requisite pam_deny.so", "required pam_permit.so")
        branch = stage.host("branch", "start", "answer=wrong", "auth", "end")
        equal(branch[-2]["text"], "Permission denied", "%s in front of pam_deny" % control)


@test("substacks, includes and jumps over our line end the same")
def parts():
    stage = Stage()
    stage.service("part-plain", "[success=1 default=ignore] DOOR prompt", "requisite pam_deny.so",
                  "required pam_permit.so")
    for way in ("substack", "include"):
        for answer in ANSWERS:
            commands = ["start", "answer=" + answer, "auth", "setcred", "end"]
            stage.service("plain", "%s part-plain" % way, "required pam_permit.so")
            expected = stage.outcome("plain", *commands)
            stage.service("part-ours", stage.ours(), "[success=1 default=ignore] DOOR prompt",
                          "requisite pam_deny.so", "required pam_permit.so")
            stage.service("inside", "%s part-ours" % way, "required pam_permit.so")
            stage.service("before", stage.ours(), "%s part-plain" % way, "required pam_permit.so")
            for name in ("inside", "before"):
                equal(stage.outcome(name, *commands), expected, "%s %s %r" % (way, name, answer))
    stage.service("plain", "@include part-plain")
    stage.service("ours", stage.ours(), "@include part-plain")
    commands = ["start", "auth", "end"]
    equal(stage.outcome("ours", *commands), stage.outcome("plain", *commands))
    before = len(stage.records())
    stage.service("jumped", "[default=1] DOOR return=7", stage.ours(), "required pam_deny.so")
    equal(stage.outcome("jumped", *commands)[-2]["code"], AUTH_ERR)
    equal(len(stage.records()), before, "a line that was jumped over records nothing")


@test("unknown words, relative paths, and very long or empty arguments change nothing")
def arguments():
    odd = ["nonsense", "state=relative/path", "config=relative", "state=", "config=", "authfail=yes", "=", "state",
           "config=/nonexistent/config.toml", "state=/" + "x" * 200, "state=/" + "x" * 600, "config=/" + "y" * 600,
           " ".join("word%d" % i for i in range(60)), "[a long one in brackets]", "debug debug authfail authfail",
           "state=/dev/null", "state=/proc/self", "state=/proc", "config=/dev/full", "\x7f", "\xe9\xe8"]
    for words in odd:
        for answer in ("right", "wrong"):
            stage = Stage()
            stage.service("plain", "required DOOR prompt")
            # A word that makes no sense leaves the one before it in force.
            stage.service("ours", stage.ours(arguments=words), "required DOOR prompt")
            commands = ["start", "answer=" + answer, *ALL_SIX, "end"]
            equal(stage.outcome("ours", *commands), stage.outcome("plain", *commands), words[:80])
            if "state=/" not in words:
                # On top of a stack, where it does not belong, authfail cannot know better.
                failures = [record for record in stage.records() if record["class"] == "failure"]
                equal(len(failures), 1 if answer == "wrong" or " authfail" in words else 0, words[:80])
            equal(sorted(os.listdir(stage.path)), ["config.toml", "pam.d", "state"], words[:80])


@test("all six functions give PAM_IGNORE to a null handle, null arguments and a wrong count of them")
def nulls():
    stage = Stage()
    told = stage.host("other", "null=" + MODULE)
    equal([line["null"] for line in told], [[IGNORE] * 3] * 6)
