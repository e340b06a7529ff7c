# SPDX-License-Identifier: LGPL-2.1-or-later
#
# bash completion for virsh-ward: "virsh-ward complete" knows the candidates, virsh's too.

# The words so far without their quotes, as the command would get them.
_virsh_ward_plain()
{
    local word=$1
    case $word in
        \"* | \'*)
            word=${word#?}
            word=${word%[\"\']}
            ;;
        *) word=${word//\\/} ;;
    esac
    printf '%s' "$word"
}

_virsh_ward()
{
    local program=$1 words cword cur i=1 word candidate
    local -a options=() input=() candidates=()

    # The whole of a URI or of --option=value is one word here.
    _get_comp_words_by_ref -n "\"'><=;|&(:" -w words -i cword -c cur
    COMPREPLY=()

    # Options before the command: those that matter to what there is go to "complete" as well.
    while ((i < cword)); do
        word=${words[i]}
        case $word in
            -c | --connect | --bus)
                options+=("$word" "$(_virsh_ward_plain "${words[i + 1]}")")
                ((i++))
                ;;
            -d | --debug | -e | --escape | -k | --keepalive-interval | -K | --keepalive-count | \
                -l | --log | --format) ((i++)) ;;
            -r | --readonly | --connect=* | --bus=*) options+=("$(_virsh_ward_plain "$word")") ;;
            -*) ;;
            *) break ;;
        esac
        ((i++))
    done
    if ((i > cword)); then
        case ${words[cword - 1]} in
            --bus) mapfile -t COMPREPLY < <(compgen -W 'system session' -- "$cur") ;;
            --format) mapfile -t COMPREPLY < <(compgen -W 'table json' -- "$cur") ;;
        esac
        return
    fi
    if ((i == cword)) && [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W '--bus --connect --format --help --quiet --readonly
            --timing --version' -- "$cur")
        return
    fi

    for word in "${words[@]:i:cword-i+1}"; do
        input+=("$(_virsh_ward_plain "$word")")
    done
    mapfile -t candidates < <("$program" "${options[@]}" complete -- "${input[@]}" 2>/dev/null)
    for candidate in "${candidates[@]}"; do
        # bash replaces what follows the "=" alone.
        [[ $COMP_WORDBREAKS == *=* && $cur == --*=* ]] && candidate=${candidate#--*=}
        [[ $cur == [\"\']* ]] || printf -v candidate %q "$candidate"
        COMPREPLY+=("$candidate")
    done
    __ltrim_colon_completions "$cur"
} &&
    complete -o default -F _virsh_ward virsh-ward
