package cli

import (
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// The scripts call the program for each completion: it knows best, and so they never have
// to be renewed.
var completionScripts = map[string]string{
	"bash": `# bash completion of anaplan-runner:  source <(anaplan-runner completion bash)
_anaplan_runner() {
    COMPREPLY=()
    local line
    while IFS= read -r line; do
        COMPREPLY+=("$(printf '%q' "$line")")
    done < <("${COMP_WORDS[0]}" __complete bash "=${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[@]:1:COMP_CWORD-1}" 2>/dev/null)
}
complete -o default -F _anaplan_runner anaplan-runner
`,
	"zsh": `#compdef anaplan-runner
# zsh completion of anaplan-runner:  source <(anaplan-runner completion zsh)
_anaplan_runner() {
    local -a names lines
    local line
    while IFS= read -r line; do
        names+=("${line%%$'\t'*}")
        lines+=("${line%%$'\t'*}  ${line#*$'\t'}")
    done < <("${words[1]}" __complete zsh "=${words[CURRENT]}" "${(@)words[2,CURRENT-1]}" 2>/dev/null)
    if (( ${#names} )); then
        compadd -l -d lines -a -- names
    else
        _files
    fi
}
compdef _anaplan_runner anaplan-runner
`,
	"fish": `# fish completion of anaplan-runner:  anaplan-runner completion fish | source
function __anaplan_runner_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l found ($words[1] __complete fish "=$current" $words[2..-1] 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        __fish_complete_path $current
    end
end
complete -c anaplan-runner -f -a '(__anaplan_runner_complete)'
`,
	"powershell": `# PowerShell completion of anaplan-runner:  anaplan-runner completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName 'anaplan-runner', 'anaplan-runner.exe' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $before = @($commandAst.CommandElements | Where-Object { $_.Extent.EndOffset -lt $cursorPosition } | ForEach-Object { "$_" })
    $arguments = @($before | Select-Object -Skip 1)
    & $before[0] __complete powershell "=$wordToComplete" @arguments 2>$null | ForEach-Object {
        $word, $help = $_ -split "` + "`t" + `", 2
        if (-not $help) { $help = $word }
        $text = $word
        if ($text -match '\s') { $text = "'" + $text.Replace("'", "''") + "'" }
        [System.Management.Automation.CompletionResult]::new($text, $word, 'ParameterValue', $help)
    }
}
`,
}

func (p *Program) completionCommand() *cli.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	command := &cli.Command{Name: "completion", Usage: "prints the script with which a shell completes commands, options and values", ArgsUsage: strings.Join(shells, "|"),
		Description: "   source <(" + name + " completion bash)          # in ~/.bashrc\n" +
			"   source <(" + name + " completion zsh)           # in ~/.zshrc, after compinit\n" +
			"   " + name + " completion fish | source           # in ~/.config/fish/config.fish\n" +
			"   " + name + " completion powershell | Out-String | Invoke-Expression    # in $PROFILE"}
	command.Action = func(c *cli.Context) error {
		args, err := arguments(c, "SHELL")
		if err != nil {
			return err
		}
		if !slices.Contains(shells, args[0]) {
			return usage("write one of "+strings.Join(shells, ", "), "there is no completion for %q", args[0])
		}
		_, err = io.WriteString(p.Out, completionScripts[args[0]])
		return err
	}
	command.BashComplete = func(*cli.Context) {
		for _, s := range shells {
			_, _ = io.WriteString(p.Out, s+"\n")
		}
	}
	return command
}
