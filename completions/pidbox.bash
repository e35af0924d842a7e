# SPDX-License-Identifier: MIT
# Completion of pidbox for bash. What there is to complete comes from pidbox itself: its help texts and its boxes.

# The rows of a verb's options: "--name argument words...", short forms too.
_pidbox_options() {
	pidbox "$1" --help 2>/dev/null | awk '
		/^  +-/ {
			n = split($0, word, " ")
			for (i = 1; i <= n && word[i] ~ /^-/; i++) {
				name = word[i]
				sub(/,$/, "", name)
				names[i] = name
			}
			rest = ""
			for (k = i; k <= n; k++)
				rest = rest " " word[k]
			for (k = 1; k < i; k++)
				print names[k] rest
		}'
}

# The words that an option of a verb takes: those that its help names, or what stands for the kind of its argument.
_pidbox_values() {
	_pidbox_options "$1" | awk -v option="$2" '
		$1 == option {
			kind = $2
			$1 = $2 = ""
			text = $0
			if (kind != "HOW" && kind != "KIND,...") {
				print kind
				exit
			}
			if (text ~ /\(all\)/)
				print "all"
			gsub(/\([^)]*\)/, "", text)
			sub(/^[^:]*:/, "", text)
			n = split(text, word, /, */)
			for (i = 1; i <= n; i++) {
				gsub(/ /, "", word[i])
				print word[i]
			}
		}'
}

_pidbox_takes_argument() {
	local kind
	kind=$(_pidbox_options "$1" | awk -v option="$2" '$1 == option { print $2; exit }')
	[[ $kind =~ ^[A-Z] ]]
}

_pidbox_complete_value() {
	local verb=$1 option=$2 word=$3 values
	values=$(_pidbox_values "$verb" "$option")
	case $values in
	FILE*)
		compopt -o filenames 2>/dev/null
		COMPREPLY=($(compgen -f -- "$word"))
		;;
	DIR)
		compopt -o filenames 2>/dev/null
		COMPREPLY=($(compgen -d -- "$word"))
		;;
	SIG) COMPREPLY=($(compgen -W "TERM KILL INT HUP QUIT USR1 USR2 STOP CONT WINCH" -- "$word")) ;;
	U*) COMPREPLY=($(compgen -u -- "$word")) ;;
	BOX) COMPREPLY=($(compgen -W "$(pidbox ls -q 2>/dev/null)" -- "$word")) ;;
	[A-Z]*) COMPREPLY=() ;;
	*) COMPREPLY=($(compgen -W "$values" -- "$word")) ;;
	esac
}

# What follows the options: a box, a command, or both.
_pidbox_complete_operand() {
	local verb=$1 word=$2 operands=$3
	case $verb in
	help) COMPREPLY=($(compgen -W "$(pidbox help | awk '/^  [a-z]/ { print $1 }')" -- "$word")) ;;
	run | init) COMPREPLY=($(compgen -c -- "$word")) ;;
	exec)
		if ((operands == 0)); then
			COMPREPLY=($(compgen -W "$(pidbox ls -q 2>/dev/null)" -- "$word"))
		else
			COMPREPLY=($(compgen -c -- "$word"))
		fi
		;;
	tree | ps | kill | wait | pid) COMPREPLY=($(compgen -W "$(pidbox ls -q 2>/dev/null)" -- "$word")) ;;
	*) COMPREPLY=() ;;
	esac
}

_pidbox() {
	local word verb i operands=0 previous=
	# An id has a colon, and readline breaks words there: take the words as the shell does.
	if declare -F _get_comp_words_by_ref >/dev/null; then
		local words cword cur
		_get_comp_words_by_ref -n : -w words -i cword -c cur
	else
		local words=("${COMP_WORDS[@]}") cword=$COMP_CWORD cur=${COMP_WORDS[COMP_CWORD]}
	fi
	word=$cur verb=${words[1]}
	COMPREPLY=()
	if ((cword == 1)); then
		COMPREPLY=($(compgen -W "$(pidbox help 2>/dev/null | awk '/^  [a-z]/ { print $1 }')" -- "$word"))
		return
	fi
	for ((i = 2; i < cword; i++)); do
		if [[ $operands == 0 && ${words[i]} == -- ]]; then
			previous=--
		elif [[ $operands == 0 && $previous != -- && ${words[i]} == -* ]]; then
			previous=
			if [[ ${words[i]} != *=* ]] && _pidbox_takes_argument "$verb" "${words[i]}"; then
				((++i < cword)) || previous=${words[i - 1]}
			fi
		else
			((++operands))
		fi
	done
	if ((operands > 0)) && [[ $verb == run || $verb == init || ($verb == exec && $operands -gt 1) ]]; then
		# The command's own arguments are the command's.
		if declare -F _command_offset >/dev/null; then
			_command_offset $((cword - operands + ($verb == exec ? 1 : 0)))
		else
			compopt -o filenames 2>/dev/null
			COMPREPLY=($(compgen -f -- "$word"))
		fi
	elif [[ -n $previous && $previous != -- ]]; then
		_pidbox_complete_value "$verb" "$previous" "$word"
	elif [[ $operands == 0 && $previous != -- && $word == -* ]]; then
		COMPREPLY=($(compgen -W "$(_pidbox_options "$verb" | awk '{ print $1 }')" -- "$word"))
	else
		_pidbox_complete_operand "$verb" "$word" "$operands"
	fi
	if declare -F __ltrim_colon_completions >/dev/null; then
		__ltrim_colon_completions "$word"
	fi
}

complete -F _pidbox pidbox
