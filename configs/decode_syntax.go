package configs

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
)

// mostRepairs is how many wrong lines of one file are looked for; each costs a reading.
const mostRepairs = 100

// parseDocument reads TOML. The first mistake against its syntax ends the reading, except
// for Windows paths in basic strings: all of them are reported, and the reading goes on
// as if they had been right. The table is nil where reading ended.
func parseDocument(file string, text []byte) (*table, Problems) {
	text = bytes.Clone(text)
	var problems Problems
	for range mostRepairs {
		var root map[string]any
		_, err := toml.Decode(string(text), &root)
		if err == nil {
			return newTable(Position{1, 1}, "", root, locate(text)), problems
		}
		at := Position{Line: 1}
		what := err.Error()
		if p, ok := errors.AsType[toml.ParseError](err); ok {
			at = placeOf(text, p)
			what = p.Message
		}
		if before := lineOf(text, at.Line-1); strings.Contains(what, "expected end of table") && bytes.HasPrefix(bytes.TrimSpace(before), []byte("[")) {
			at = Position{Line: at.Line - 1, Column: 1} // the library is at the line's end by now
		}
		line := lineOf(text, at.Line)
		repaired, problem := repairPath(line, what)
		problem.File, problem.Line = file, at.Line
		if repaired == nil {
			problem := syntaxProblem(string(bytes.TrimRight(line, "\r\n")), what)
			problem.File, problem.Line, problem.Column = file, at.Line, at.Column
			if foreign := foreignFormat(text); foreign != "" && len(problems) == 0 {
				problem = Problem{File: file, Line: 1, What: "this is not TOML: it looks like " + foreign,
					Instead: `give the path of another file; a line of TOML looks as name = "nightly"`}
			}
			return nil, append(problems, problem)
		}
		problems = append(problems, problem)
		copy(line, repaired)
	}
	return nil, problems
}

// placeOf is where a mistake is. The library's offset may lie beyond its line: then only
// the line is known.
func placeOf(text []byte, p toml.ParseError) Position {
	at := positionOf(text, p.Position.Start)
	if at.Line != p.Position.Line {
		at = Position{Line: p.Position.Line}
	}
	if lines := positionOf(text, len(bytes.TrimRight(text, "\r\n"))).Line; at.Line > lines {
		at = Position{Line: lines}
	}
	at.Line = max(at.Line, 1)
	return at
}

// lineOf is one line of text, with its end; it shares its bytes.
func lineOf(text []byte, line int) []byte {
	for ; line > 1; line-- {
		i := bytes.IndexByte(text, '\n')
		if i < 0 {
			return nil
		}
		text = text[i+1:]
	}
	if i := bytes.IndexByte(text, '\n'); i >= 0 {
		text = text[:i+1]
	}
	return text
}

var (
	// basicPath is a basic string that begins as a Windows path does: a drive, or a share.
	basicPath  = regexp.MustCompile(`"((?:[A-Za-z]:\\|\\\\|\.{1,2}\\|file:[A-Za-z]:\\|[\w.${} -]+\\)[^"\n]*)"`)
	surePath   = regexp.MustCompile(`^"(?:[A-Za-z]:\\|\\\\|\.{1,2}\\|.*\.[A-Za-z0-9]{1,5}"$)`)
	leftSide   = regexp.MustCompile(`^\s*([A-Za-z0-9_."-]+)\s*=`)
	quotedText = regexp.MustCompile(`"[^"]*"|'[^']*'`)
	secretKey  = regexp.MustCompile(`(?i)pass|secret|token|private_key`)
)

// repairPath corrects a line with Windows paths in basic strings, if that is what is
// wrong: the bytes that the line is to be read as, of the same length, and the problem.
func repairPath(line []byte, what string) ([]byte, Problem) {
	if !strings.Contains(what, "escape") && !strings.Contains(what, "hexadecimal") && !strings.Contains(what, "Unicode") {
		return nil, Problem{}
	}
	written := strings.TrimSpace(string(line))
	m := basicPath.FindStringSubmatchIndex(string(line))
	if m == nil {
		return nil, Problem{}
	}
	problem := Problem{Key: keyLeftOf(written), What: `in "…" a backslash begins an escape such as \n`, Instead: "write " + correctPaths(written)}
	if secretKey.MatchString(quotedText.ReplaceAllString(written, "")) {
		problem.Instead = "put the path between '…', or double each backslash"
	}
	repaired := bytes.Clone(line)
	for _, m := range basicPath.FindAllSubmatchIndex(line, -1) {
		for i := m[2]; i < m[3]; i++ {
			if repaired[i] == '\\' {
				repaired[i] = '/'
			}
		}
	}
	return repaired, problem
}

// correctPaths puts the Windows paths of a line into literal strings.
func correctPaths(line string) string {
	return basicPath.ReplaceAllStringFunc(line, func(s string) string {
		inner := s[1 : len(s)-1]
		if strings.Contains(inner, "'") {
			return `"` + strings.ReplaceAll(inner, `\`, `\\`) + `"`
		}
		return "'" + inner + "'"
	})
}

// windowsPath says whether a string as written is a Windows path in a basic string, and
// how it should be written.
func windowsPath(raw string) (string, bool) {
	if raw == "" || strings.HasPrefix(raw, `"""`) || basicPath.FindString(raw) != raw || !surePath.MatchString(raw) {
		return "", false
	}
	return correctPaths(raw), true
}

func keyLeftOf(line string) string {
	if m := leftSide.FindStringSubmatch(line); m != nil {
		return m[1]
	}
	return ""
}

var (
	bareWord   = regexp.MustCompile(`^\s*[A-Za-z0-9_."-]+\s*=\s*([^"'\[{\s#][^#]*?)\s*(?:#.*)?$`)
	definedKey = regexp.MustCompile(`[Kk]ey '(.+?)' has already been defined`)
	notArray   = regexp.MustCompile(`Key '(.+?)' was already created and cannot be used as an array`)
	openTable  = regexp.MustCompile(`^\s*(\[\[?)([^\[\]]*)(\]{0,2})\s*(?:#.*)?$`)
	colonPair  = regexp.MustCompile(`^\s*([A-Za-z0-9_-]+)\s*:\s+(.*)$`)
)

// syntaxProblem says what a mistake against TOML's syntax most likely is. It repeats
// nothing of a line that may hold a secret.
func syntaxProblem(line, what string) Problem {
	p := Problem{Key: keyLeftOf(line), What: what}
	quiet := secretKey.MatchString(line)
	if strings.ContainsAny(line, "“”„‘’«»") {
		p.What, p.Instead = "typographic quotes are no quotes to TOML", `write straight ones: "…" or '…'`
		return p
	}
	if strings.Contains(line, "{{") {
		p.What, p.Instead = "{{ }} means nothing here", `write ${params.NAME}, ${env.NAME} or ${run.date}, in quotes`
		return p
	}
	if strings.HasPrefix(strings.TrimSpace(line), "//") {
		p.What, p.Instead = "this is no comment in TOML", "begin it with #"
		return p
	}
	if m := definedKey.FindStringSubmatch(what); m != nil {
		p.Key, p.What, p.Instead = m[1], "is written twice", "leave one of the two"
		if m := openTable.FindStringSubmatch(line); m != nil && m[1] == "[" && m[2] == "step" {
			p.What, p.Instead = "stands as [[step]] above, and as [step] here", "write [[step]] with two brackets everywhere"
		} else if strings.HasPrefix(strings.TrimSpace(line), "[") {
			p.What, p.Instead = "this table is written twice", "put all its keys under one heading"
		}
		return p
	}
	if m := notArray.FindStringSubmatch(what); m != nil {
		p.Key, p.What, p.Instead = m[1], fmt.Sprintf("stands as [%s] above, and as a list here", m[1]), fmt.Sprintf("write [[%s]] with two brackets everywhere", m[1])
		return p
	}
	if m := openTable.FindStringSubmatch(line); m != nil && m[1] != strings.ReplaceAll(m[3], "]", "[") && m[3] != m[1] && len(m[3]) != len(m[1]) {
		p.What, p.Instead = "the brackets of this heading do not match", "write "+m[1]+strings.TrimSpace(m[2])+strings.Repeat("]", len(m[1]))
		return p
	}
	if m := colonPair.FindStringSubmatch(line); m != nil {
		p.Key, p.What, p.Instead = m[1], "a key and its value are joined by =, not by :", fmt.Sprintf("write %s = …", m[1])
		return p
	}
	switch {
	case strings.Contains(what, "strings cannot contain newlines"), strings.Contains(what, "unexpected EOF") && oddQuotes(line):
		p.What, p.Instead = "the string has no closing quote", `close it with " on the same line`
		return p
	case strings.Contains(what, "escape"), strings.Contains(what, "hexadecimal"):
		p.What = `in "…" a backslash begins an escape such as \n, and this one is none`
		p.Instead = `put the text between '…', or double the backslash`
		return p
	case strings.Contains(what, "expected '.' or '='"), strings.Contains(what, "keys cannot contain"):
		p.What, p.Instead = "a line must be key = value, [table] or # comment", `put = behind the key, and a text in quotes`
		return p
	case strings.Contains(what, "control characters are not allowed"):
		p.What, p.Instead = "an invisible control character stands here", "delete it, and write the line again"
		return p
	}
	if m := bareWord.FindStringSubmatch(line); m != nil {
		p.What, p.Instead = "the value is neither a text in quotes nor a number, true or false", `put it in quotes`
		if !quiet {
			p.Instead = fmt.Sprintf("write %s = %q", p.Key, m[1])
			switch strings.ToLower(m[1]) {
			case "yes", "on", "true":
				p.Instead = fmt.Sprintf("write %s = true", p.Key)
			case "no", "off", "false":
				p.Instead = fmt.Sprintf("write %s = false", p.Key)
			}
		}
		return p
	}
	switch {
	case strings.Contains(what, "expected value but found '\\n'"), strings.Contains(what, "expected value but found '\\r'"), strings.HasSuffix(strings.TrimSpace(line), "="):
		p.What, p.Instead = "there is no value behind the =", `write one, or put # before the line`
	case strings.Contains(what, "comma"), strings.Contains(what, "array terminator"), strings.Contains(what, "inline table"):
		p.What, p.Instead = "a comma or a closing bracket is missing", "values in [ … ] and { … } are parted by commas"
	case strings.Contains(what, "expected value but found"):
		p.What, p.Instead = "there is no value here that TOML knows, or a bracket in a line above is not closed", "close [ with ] and { with }, and put texts in quotes"
	case strings.Contains(what, "to end with a newline"):
		p.What, p.Instead = "something stands behind the value", "write one key = value on each line, and a text in quotes"
	case quiet:
		p.What = "this line is not TOML"
	}
	if p.Instead == "" {
		p.Instead = "see https://toml.io for how TOML is written"
	}
	return p
}

func oddQuotes(line string) bool {
	return strings.Count(line, `"`)%2 == 1 || strings.Count(line, "'")%2 == 1
}

var (
	yamlLine  = regexp.MustCompile(`^(?:---|- |[A-Za-z_][\w-]*:(?:\s|$))`)
	batchLine = regexp.MustCompile(`(?i)^(?:@echo|rem\b|::|set\s+\w+=|call\s|setlocal|anaplanclient|java\s)`)
)

// foreignFormat names what a file that is no TOML looks like by its first line; empty:
// nothing known.
func foreignFormat(text []byte) string {
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' && !bytes.HasPrefix(line, []byte("#!")) {
			continue
		}
		switch {
		case line[0] == '{', bytes.HasPrefix(line, []byte(`[{`)), bytes.Equal(line, []byte("[")):
			return "JSON"
		case line[0] == '<':
			return "XML or HTML"
		case bytes.HasPrefix(line, []byte("#!")):
			return "a shell script"
		case batchLine.Match(line):
			return "a Windows command file (.bat)"
		case bytes.HasPrefix(line, []byte("-----BEGIN")):
			return "a certificate or key (PEM)"
		case yamlLine.Match(line):
			return "YAML"
		case bytes.HasPrefix(line, []byte("PK\x03\x04")):
			return "a ZIP or Excel file"
		case utf8.RuneCount(line) > 2 && bytes.Count(line, []byte(",")) > 2 && !bytes.Contains(line, []byte("=")):
			return "CSV data"
		}
		return ""
	}
	return ""
}
