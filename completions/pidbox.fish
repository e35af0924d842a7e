# SPDX-License-Identifier: MIT
# Completion of pidbox for fish. What there is to complete comes from pidbox itself: its help texts and its boxes.

function __pidbox_words
    commandline -opc
end

function __pidbox_verb
    set -l words (__pidbox_words)
    test (count $words) -gt 1; and echo $words[2]
end

function __pidbox_verbs
    pidbox help 2>/dev/null | string replace -rf '^  ([a-z]+) +(.*)' '$1\t$2'
end

# "--name<TAB>ARGUMENT<TAB>words": a line for each spelling of an option; ARGUMENT "-" when it takes none.
function __pidbox_rows
    set -l pattern '^ +(-[^\s,]+)(?:, +(--\S+))?(?: ([A-Za-z]\S*))? {2,}(.*)$'
    for line in (pidbox (__pidbox_verb) --help 2>/dev/null | string replace -rf -- $pattern '$1\t$2\t$3\t$4')
        set -l row (string split \t -- $line)
        string match -qr '^[A-Z]' -- $row[3]; or set row[3] -
        for name in $row[1] $row[2]
            test -n "$name"; and printf '%s\t%s\t%s\n' $name $row[3] $row[4]
        end
    end
end

function __pidbox_options
    __pidbox_rows | string replace -rf '^(\S+)\t\S+\t(.*)' '$1\t$2'
end

# How many operands there are before the cursor, and in __pidbox_pending the option that waits for its argument.
function __pidbox_operands
    set -g __pidbox_pending
    set -l count 0
    set -l rows (__pidbox_rows)
    for word in (__pidbox_words)[3..-1]
        if set -q __pidbox_pending[1]
            set -g __pidbox_pending
        else if test $count -eq 0; and string match -q -- '-*' $word
            set -l row (string match -r -- '^'(string escape --style=regex -- $word)'\t([A-Z]\S*)\t(.*)' $rows)
            test (count $row) -ge 3; and set -g __pidbox_pending $row[2] $row[3]
        else
            set count (math $count + 1)
        end
    end
    echo $count
end

function __pidbox_values
    set -l text $__pidbox_pending[2]
    switch $__pidbox_pending[1]
        case HOW 'KIND*'
            string match -q '*(all)*' -- $text; and echo all
            string replace -ra '\([^)]*\)' '' -- $text | string replace -r '^[^:]*:' '' | string split , | string trim
        case 'FILE*'
            __fish_complete_path (commandline -ct)
        case DIR
            __fish_complete_directories (commandline -ct)
        case SIG
            printf '%s\n' TERM KILL INT HUP QUIT USR1 USR2 STOP CONT WINCH
        case 'U*'
            __fish_complete_users
        case BOX
            pidbox ls -q 2>/dev/null
    end
end

function __pidbox_complete
    set -l verb (__pidbox_verb)
    if test -z "$verb"
        __pidbox_verbs
        return
    end
    set -l operands (__pidbox_operands)
    set -l word (commandline -ct)
    if set -q __pidbox_pending[1]
        __pidbox_values
    else if test $operands -eq 0; and string match -q -- '-*' $word
        __pidbox_options
    else
        switch $verb
            case help
                __pidbox_verbs
            case run init
                if test $operands -eq 0
                    __fish_complete_command
                else
                    __fish_complete_path $word
                end
            case exec
                switch $operands
                    case 0
                        pidbox ls -q 2>/dev/null
                    case 1
                        __fish_complete_command
                    case '*'
                        __fish_complete_path $word
                end
            case tree ps kill wait pid
                pidbox ls -q 2>/dev/null
        end
    end
end

complete -c pidbox -f -a '(__pidbox_complete)'
