export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

/*
 * Each asks the executable itself what may stand there: `jwtgate __complete -- words…` answers a line a candidate, its
 * description behind a tab, and `:files` where names of files belong.
 */

const bash = `# jwtgate completion bash > /etc/bash_completion.d/jwtgate
# or, in ~/.bashrc: source <(jwtgate completion bash)
_jwtgate() {
  local line current="\${COMP_WORDS[COMP_CWORD]}"
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ $line == :files ]]; then
      compopt -o filenames 2>/dev/null
      while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$current")
    else
      line=\${line%%$'\\t'*}
      # What stands before "=" is no part of the word here.
      [[ $line == --*=* && $current != --* ]] && line=\${line#*=}
      COMPREPLY+=("$line")
    fi
  done < <("\${COMP_WORDS[0]}" __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _jwtgate jwtgate
`;

const zsh = `#compdef jwtgate
# jwtgate completion zsh > "\${fpath[1]}/_jwtgate"
# or, in ~/.zshrc after compinit: source <(jwtgate completion zsh)
_jwtgate() {
  local line
  local -a candidates
  for line in "\${(@f)$("\${words[1]}" __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    if [[ $line == :files ]]; then
      _files
    elif [[ -n $line ]]; then
      candidates+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
    fi
  done
  (( \${#candidates} )) && _describe jwtgate candidates
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _jwtgate "$@"
else
  compdef _jwtgate jwtgate
fi
`;

const fish = `# jwtgate completion fish > ~/.config/fish/completions/jwtgate.fish
function __jwtgate_candidates
  set -l words (commandline -opc) (commandline -ct)
  for line in ($words[1] __complete -- $words[2..-1] 2>/dev/null)
    if test "$line" = ':files'
      __fish_complete_path (commandline -ct)
    else
      printf '%s\\n' "$line"
    end
  end
end
complete -c jwtgate -f -a '(__jwtgate_candidates)'
`;

export const scripts: Readonly<Record<Shell, string>> = { bash, zsh, fish };
