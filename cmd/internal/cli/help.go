package cli

// The help texts: the library's, without what says nothing, and with the exit codes.
const (
	appHelp = `{{.Usage}}

USAGE:
   {{wrap .UsageText 3}}

{{wrap .Description 0}}

COMMANDS:{{range .VisibleCommands}}
   {{.Name}}{{"\t"}}{{.Usage}}{{end}}

Options may stand before or after arguments. COMMAND --help tells more.
` + exitCodes

	commandHelp = `{{template "helpNameTemplate" .}}

USAGE:
   {{.HelpName}}{{if .ArgsUsage}} {{.ArgsUsage}}{{end}} [OPTIONS]{{if .Description}}

{{wrap .Description 0}}{{end}}{{if .VisibleFlagCategories}}

OPTIONS:{{template "visibleFlagCategoryTemplate" .}}{{end}}` + exitCodes

	groupHelp = `{{template "helpNameTemplate" .}}

USAGE:
   {{.HelpName}} COMMAND [ARGUMENTS] [OPTIONS]{{if .Description}}

{{wrap .Description 0}}{{end}}

COMMANDS:{{range .VisibleCommands}}
   {{.Name}}{{"\t"}}{{.Usage}}{{end}}
{{if .VisibleFlagCategories}}

OPTIONS:{{template "visibleFlagCategoryTemplate" .}}{{end}}` + exitCodes

	exitCodes = `
EXIT CODES:
   0    ok (also when every step was skipped; --skip-code gives these another code)
   1    Anaplan ran it and it failed
   3    finished; a step rejected more rows than the job accepts
   4    auth check: a certificate ends within --warn
   64   wrong usage
   65   a source or a result is missing, or a guard refused it; nothing was replaced
   70   internal error
   75   temporary, after our own patience; trying again may help
   76   unsure whether Anaplan ran it; nothing was repeated; a person decides
   77   login or permission
   78   the job file is wrong, or names what does not exist
   124  a time limit passed
   130  interrupted (143 by SIGTERM or SIGHUP)
`
)
