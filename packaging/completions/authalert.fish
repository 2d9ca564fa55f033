# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_authalert_global_optspecs
    string join \n config= state= h/help
end

function __fish_authalert_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_authalert_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_authalert_using_subcommand
    set -l cmd (__fish_authalert_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c authalert -n "__fish_authalert_needs_command" -l config -d 'Configuration file [default: /etc/authalert/config.toml]' -r -F
complete -c authalert -n "__fish_authalert_needs_command" -l state -d 'State directory [default: /var/lib/authalert]' -r -f -a "(__fish_complete_directories)"
complete -c authalert -n "__fish_authalert_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c authalert -n "__fish_authalert_needs_command" -f -a "receivers" -d 'Where alerts go: what is set up and how it does, and every kind that there is'
complete -c authalert -n "__fish_authalert_needs_command" -f -a "check" -d 'What is wrong with this installation, and how to put it right; fails where an alert could be missed'
complete -c authalert -n "__fish_authalert_needs_command" -f -a "status" -d 'What was recorded and sent, what waits and why, where the module is active'
complete -c authalert -n "__fish_authalert_needs_command" -f -a "timeline" -d 'The alerts as they were sent, newest last; one may be about many failures'
complete -c authalert -n "__fish_authalert_needs_command" -f -a "failures" -d 'Each failure that is recorded, sent or not, newest last'
complete -c authalert -n "__fish_authalert_needs_command" -f -a "report" -d 'The history as pictures and figures: from the records, or from any logs'
complete -c authalert -n "__fish_authalert_needs_command" -f -a "test" -d 'Send a test message to every receiver, or to the one called NAME'
complete -c authalert -n "__fish_authalert_needs_command" -f -a "scan" -d 'Read the logs, record what the module did not, then deliver; cron and systemd run this'
complete -c authalert -n "__fish_authalert_needs_command" -f -a "deliver" -d 'Send what is due; cron and systemd run this'
complete -c authalert -n "__fish_authalert_needs_command" -f -a "authorize" -d 'Connect this machine to an X account: asks for the app\'s keys, then for a PIN'
complete -c authalert -n "__fish_authalert_using_subcommand receivers; and not __fish_seen_subcommand_from list add remove test" -l config -d 'Configuration file [default: /etc/authalert/config.toml]' -r -F
complete -c authalert -n "__fish_authalert_using_subcommand receivers; and not __fish_seen_subcommand_from list add remove test" -l state -d 'State directory [default: /var/lib/authalert]' -r -f -a "(__fish_complete_directories)"
complete -c authalert -n "__fish_authalert_using_subcommand receivers; and not __fish_seen_subcommand_from list add remove test" -s h -l help -d 'Print help'
complete -c authalert -n "__fish_authalert_using_subcommand receivers; and not __fish_seen_subcommand_from list add remove test" -f -a "list" -d 'Show the kinds, and how each receiver that is set up does; as without a word'
complete -c authalert -n "__fish_authalert_using_subcommand receivers; and not __fish_seen_subcommand_from list add remove test" -f -a "add" -d 'Set one up: asks for what the kind needs, sends a test message, asks whether it came, then writes both files'
complete -c authalert -n "__fish_authalert_using_subcommand receivers; and not __fish_seen_subcommand_from list add remove test" -f -a "remove" -d 'Take one out, with its credentials: what add wrote, and nothing else'
complete -c authalert -n "__fish_authalert_using_subcommand receivers; and not __fish_seen_subcommand_from list add remove test" -f -a "test" -d 'Send a test message to one, or to every receiver; as `authalert test`'
complete -c authalert -n "__fish_authalert_using_subcommand receivers; and __fish_seen_subcommand_from list" -l config -d 'Configuration file [default: /etc/authalert/config.toml]' -r -F
complete -c authalert -n "__fish_authalert_using_subcommand receivers; and __fish_seen_subcommand_from list" -l state -d 'State directory [default: /var/lib/authalert]' -r -f -a "(__fish_complete_directories)"
complete -c authalert -n "__fish_authalert_using_subcommand receivers; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c authalert -n "__fish_authalert_using_subcommand receivers; and __fish_seen_subcommand_from add" -l name -d 'What to call it [default: as its kind]' -r -f
complete -c authalert -n "__fish_authalert_using_subcommand receivers; and __fish_seen_subcommand_from add" -l set -d 'A value that is not secret, so that it is not asked for; may be given several times' -r -f
complete -c authalert -n "__fish_authalert_using_subcommand receivers; and __fish_seen_subcommand_from add" -l config -d 'Configuration file [default: /etc/authalert/config.toml]' -r -F
complete -c authalert -n "__fish_authalert_using_subcommand receivers; and __fish_seen_subcommand_from add" -l state -d 'State directory [default: /var/lib/authalert]' -r -f -a "(__fish_complete_directories)"
complete -c authalert -n "__fish_authalert_using_subcommand receivers; and __fish_seen_subcommand_from add" -l no-test -d 'Send no test message'
complete -c authalert -n "__fish_authalert_using_subcommand receivers; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c authalert -n "__fish_authalert_using_subcommand receivers; and __fish_seen_subcommand_from remove" -l config -d 'Configuration file [default: /etc/authalert/config.toml]' -r -F
complete -c authalert -n "__fish_authalert_using_subcommand receivers; and __fish_seen_subcommand_from remove" -l state -d 'State directory [default: /var/lib/authalert]' -r -f -a "(__fish_complete_directories)"
complete -c authalert -n "__fish_authalert_using_subcommand receivers; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help'
complete -c authalert -n "__fish_authalert_using_subcommand receivers; and __fish_seen_subcommand_from test" -l config -d 'Configuration file [default: /etc/authalert/config.toml]' -r -F
complete -c authalert -n "__fish_authalert_using_subcommand receivers; and __fish_seen_subcommand_from test" -l state -d 'State directory [default: /var/lib/authalert]' -r -f -a "(__fish_complete_directories)"
complete -c authalert -n "__fish_authalert_using_subcommand receivers; and __fish_seen_subcommand_from test" -s v -l verbose -d 'Show what the service answered, also where it accepted the message'
complete -c authalert -n "__fish_authalert_using_subcommand receivers; and __fish_seen_subcommand_from test" -s h -l help -d 'Print help'
complete -c authalert -n "__fish_authalert_using_subcommand check" -l config -d 'Configuration file [default: /etc/authalert/config.toml]' -r -F
complete -c authalert -n "__fish_authalert_using_subcommand check" -l state -d 'State directory [default: /var/lib/authalert]' -r -f -a "(__fish_complete_directories)"
complete -c authalert -n "__fish_authalert_using_subcommand check" -l offline -d 'Do not ask X what it thinks of the credentials'
complete -c authalert -n "__fish_authalert_using_subcommand check" -s q -l quiet -d 'Only what is wrong'
complete -c authalert -n "__fish_authalert_using_subcommand check" -s h -l help -d 'Print help'
complete -c authalert -n "__fish_authalert_using_subcommand status" -l output -d 'With --prometheus: into FILE, which is replaced whole' -r -F
complete -c authalert -n "__fish_authalert_using_subcommand status" -l config -d 'Configuration file [default: /etc/authalert/config.toml]' -r -F
complete -c authalert -n "__fish_authalert_using_subcommand status" -l state -d 'State directory [default: /var/lib/authalert]' -r -f -a "(__fish_complete_directories)"
complete -c authalert -n "__fish_authalert_using_subcommand status" -l json -d 'As one JSON object'
complete -c authalert -n "__fish_authalert_using_subcommand status" -l prometheus -d 'As metrics for Prometheus'
complete -c authalert -n "__fish_authalert_using_subcommand status" -s h -l help -d 'Print help'
complete -c authalert -n "__fish_authalert_using_subcommand timeline" -s n -l lines -d 'Only the last N' -r -f
complete -c authalert -n "__fish_authalert_using_subcommand timeline" -l config -d 'Configuration file [default: /etc/authalert/config.toml]' -r -F
complete -c authalert -n "__fish_authalert_using_subcommand timeline" -l state -d 'State directory [default: /var/lib/authalert]' -r -f -a "(__fish_complete_directories)"
complete -c authalert -n "__fish_authalert_using_subcommand timeline" -s f -l follow -d 'Wait for more'
complete -c authalert -n "__fish_authalert_using_subcommand timeline" -l json -d 'One JSON object a line'
complete -c authalert -n "__fish_authalert_using_subcommand timeline" -s h -l help -d 'Print help'
complete -c authalert -n "__fish_authalert_using_subcommand failures" -l since -d 'Only what happened since: 2026-01-05, 2026-01-05T12:00:00Z, or how long ago: 90s, 10m, 6h, 30d' -r -f
complete -c authalert -n "__fish_authalert_using_subcommand failures" -l user -d 'Only those for this account' -r -f -a "(__fish_complete_users)"
complete -c authalert -n "__fish_authalert_using_subcommand failures" -l from -d 'Only those from this address, network or host name' -r -f -a "(__fish_print_hostnames)"
complete -c authalert -n "__fish_authalert_using_subcommand failures" -l service -d 'Only those at this PAM service, or at all that alerts call so: su is su-l too, sudo is sudo-i' -r -f
complete -c authalert -n "__fish_authalert_using_subcommand failures" -l pending -d 'Only those that "status" counts as pending: of the receiver that is named, or of the first one' -r -f
complete -c authalert -n "__fish_authalert_using_subcommand failures" -l config -d 'Configuration file [default: /etc/authalert/config.toml]' -r -F
complete -c authalert -n "__fish_authalert_using_subcommand failures" -l state -d 'State directory [default: /var/lib/authalert]' -r -f -a "(__fish_complete_directories)"
complete -c authalert -n "__fish_authalert_using_subcommand failures" -l logins -d 'Recorded logins too'
complete -c authalert -n "__fish_authalert_using_subcommand failures" -l json -d 'One JSON object a line'
complete -c authalert -n "__fish_authalert_using_subcommand failures" -l ecs -d 'With --json: by the names of the Elastic Common Schema, without names that may be passwords'
complete -c authalert -n "__fish_authalert_using_subcommand failures" -s f -l follow -d 'Wait for more'
complete -c authalert -n "__fish_authalert_using_subcommand failures" -s h -l help -d 'Print help'
complete -c authalert -n "__fish_authalert_using_subcommand report" -l since -d 'Not before: 2026-01-05, 2026-01-05T12:00:00Z, or how long ago: 90s, 10m, 6h, 30d' -r -f
complete -c authalert -n "__fish_authalert_using_subcommand report" -l until -d 'Not after; a day counts whole' -r -f
complete -c authalert -n "__fish_authalert_using_subcommand report" -l html -d 'As a page for a browser, into FILE; `-` is standard output' -r -F
complete -c authalert -n "__fish_authalert_using_subcommand report" -l geo -d 'A database in MaxMind\'s format, which says in which country and network an address is; may be repeated' -r -F
complete -c authalert -n "__fish_authalert_using_subcommand report" -l config -d 'Configuration file [default: /etc/authalert/config.toml]' -r -F
complete -c authalert -n "__fish_authalert_using_subcommand report" -l state -d 'State directory [default: /var/lib/authalert]' -r -f -a "(__fish_complete_directories)"
complete -c authalert -n "__fish_authalert_using_subcommand report" -l journald -d 'Read the systemd journal'
complete -c authalert -n "__fish_authalert_using_subcommand report" -l json -d 'As one JSON object, see authalert-json(7)'
complete -c authalert -n "__fish_authalert_using_subcommand report" -l plain -d 'In words alone, without bars and columns: for a screen reader'
complete -c authalert -n "__fish_authalert_using_subcommand report" -l names -d 'Show names of no account anywhere: they may be passwords, and only a terminal is shown them unasked'
complete -c authalert -n "__fish_authalert_using_subcommand report" -s h -l help -d 'Print help'
complete -c authalert -n "__fish_authalert_using_subcommand test" -l pam -d 'Instead, fail a real authentication through this service\'s PAM stack, and show what comes of it' -r -f
complete -c authalert -n "__fish_authalert_using_subcommand test" -l user -d 'The account to fail for, with --pam' -r -f -a "(__fish_complete_users)"
complete -c authalert -n "__fish_authalert_using_subcommand test" -l config -d 'Configuration file [default: /etc/authalert/config.toml]' -r -F
complete -c authalert -n "__fish_authalert_using_subcommand test" -l state -d 'State directory [default: /var/lib/authalert]' -r -f -a "(__fish_complete_directories)"
complete -c authalert -n "__fish_authalert_using_subcommand test" -s v -l verbose -d 'Show what the service answered, also where it accepted the message'
complete -c authalert -n "__fish_authalert_using_subcommand test" -s h -l help -d 'Print help'
complete -c authalert -n "__fish_authalert_using_subcommand scan" -l since -d 'Only what happened since: 2026-01-05, 2026-01-05T12:00:00Z, or how long ago: 90s, 10m, 6h, 30d' -r -f
complete -c authalert -n "__fish_authalert_using_subcommand scan" -l simulate -d 'Show what the current settings would have posted of the failures in FILE, or in this machine\'s logs' -r -F
complete -c authalert -n "__fish_authalert_using_subcommand scan" -l config -d 'Configuration file [default: /etc/authalert/config.toml]' -r -F
complete -c authalert -n "__fish_authalert_using_subcommand scan" -l state -d 'State directory [default: /var/lib/authalert]' -r -f -a "(__fish_complete_directories)"
complete -c authalert -n "__fish_authalert_using_subcommand scan" -l journald -d 'Read the systemd journal'
complete -c authalert -n "__fish_authalert_using_subcommand scan" -l dry-run -d 'Show what would be recorded, and record nothing; of a FILE all of it, and of each by itself'
complete -c authalert -n "__fish_authalert_using_subcommand scan" -l json -d 'One JSON object a line'
complete -c authalert -n "__fish_authalert_using_subcommand scan" -l explain -d 'Show each line of this pass, and what it is taken for; with --dry-run, each of a FILE'
complete -c authalert -n "__fish_authalert_using_subcommand scan" -l no-commands -d 'Deliver to no receiver that starts a program, as deliver --no-commands'
complete -c authalert -n "__fish_authalert_using_subcommand scan" -l from-start -d 'On the first pass over a log, read what is in it already'
complete -c authalert -n "__fish_authalert_using_subcommand scan" -l rules -d 'Show the rules of programs and PAM modules in their own words, and read nothing'
complete -c authalert -n "__fish_authalert_using_subcommand scan" -s h -l help -d 'Print help'
complete -c authalert -n "__fish_authalert_using_subcommand deliver" -l config -d 'Configuration file [default: /etc/authalert/config.toml]' -r -F
complete -c authalert -n "__fish_authalert_using_subcommand deliver" -l state -d 'State directory [default: /var/lib/authalert]' -r -f -a "(__fish_complete_directories)"
complete -c authalert -n "__fish_authalert_using_subcommand deliver" -l now -d 'At once, whatever intervals and outages say; it says why something cannot go out'
complete -c authalert -n "__fish_authalert_using_subcommand deliver" -l commands -d 'Only to receivers that start a program (command, and mail by sendmail); a unit of their own runs this'
complete -c authalert -n "__fish_authalert_using_subcommand deliver" -l no-commands -d 'Not to those'
complete -c authalert -n "__fish_authalert_using_subcommand deliver" -l settle -d 'First wait a moment, in a burst three seconds, so that one run covers it; not where somebody is in after failures'
complete -c authalert -n "__fish_authalert_using_subcommand deliver" -s h -l help -d 'Print help'
complete -c authalert -n "__fish_authalert_using_subcommand authorize" -l import-trc -d 'Take the keys from the file of the Ruby tool `t` [default: ~/.trc]' -r -F
complete -c authalert -n "__fish_authalert_using_subcommand authorize" -l config -d 'Configuration file [default: /etc/authalert/config.toml]' -r -F
complete -c authalert -n "__fish_authalert_using_subcommand authorize" -l state -d 'State directory [default: /var/lib/authalert]' -r -f -a "(__fish_complete_directories)"
complete -c authalert -n "__fish_authalert_using_subcommand authorize" -s h -l help -d 'Print help'
