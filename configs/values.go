package configs

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A part is a piece of a string of the job file: text as it is, or one ${…}.
type part struct {
	text   string // without a kind: the text; else what stood between the braces
	kind   valueKind
	name   string // of the parameter, the variable or the axis
	shifts []shift
	format string // of run.date; empty: %Y-%m-%d
}

type valueKind int

const (
	literal valueKind = iota
	paramValue
	envValue
	runID
	runDate
	eachValue
)

// A shift moves run.date by days, months or business days.
type shift struct {
	by   int
	unit string // "d" | "m" | "bd"
}

// A fault is something wrong with a ${…}, before its place in the file is known.
type fault struct {
	what    string
	instead string
}

// known says which names a ${…} may use.
type known struct {
	params []string // names of the job's parameters
	each   []string // axes of the step's for_each; nil where no step is
}

// checkValue returns what is wrong with the ${…} of s, nil when nothing is: how they are
// written, and names that are not known. It needs no values, so it serves the job file's
// validation; [Job.checkValues] applies it to every string that may hold one.
func checkValue(s string, k known) []fault {
	parts, faults := parseValue(s)
	for _, p := range parts {
		switch p.kind {
		case paramValue:
			if !slices.Contains(k.params, p.name) {
				faults = append(faults, fault{fmt.Sprintf("${params.%s}: the job has no parameter %q", p.name, p.name),
					oneOf(p.name, k.params, "add [params."+p.name+"]")})
			}
		case eachValue:
			if !slices.Contains(k.each, p.name) {
				faults = append(faults, fault{fmt.Sprintf("${each.%s}: no for_each here has the key %q", p.name, p.name),
					oneOf(p.name, k.each, "add for_each = { "+p.name+" = [...] } to the step")})
			}
		}
	}
	return faults
}

var (
	valueName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)
	envName   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_().]*$`) // ProgramFiles(x86) is one
	shiftForm = regexp.MustCompile(`^([+-])(\d+)([a-z]+)`)
)

// parseValue splits s at its ${…}. The parts are usable as far as there are no faults;
// text without "${" comes back as one literal part.
func parseValue(s string) ([]part, []fault) {
	var parts []part
	var faults []fault
	var text strings.Builder
	flush := func() {
		if text.Len() > 0 {
			parts = append(parts, part{text: text.String()})
			text.Reset()
		}
	}
	for s != "" {
		if strings.HasPrefix(s, "$${") {
			text.WriteString("${")
			s = s[3:]
			continue
		}
		if !strings.HasPrefix(s, "${") {
			next := strings.IndexByte(s[1:], '$') + 1
			if next == 0 {
				next = len(s)
			}
			text.WriteString(s[:next])
			s = s[next:]
			continue
		}
		inner, rest, closed := strings.Cut(s[2:], "}")
		if !closed || strings.Contains(inner, "${") {
			return parts, append(faults, fault{fmt.Sprintf("%s has no closing brace", clip(s)), "write $${ for a literal ${"})
		}
		s = rest
		p, f := parseReference(inner)
		if f != nil {
			faults = append(faults, *f)
			continue
		}
		flush()
		parts = append(parts, p)
	}
	flush()
	return parts, faults
}

// parseReference reads what stands between the braces.
func parseReference(inner string) (part, *fault) {
	whole := "${" + inner + "}"
	if t := strings.TrimSpace(inner); t != inner {
		return part{}, &fault{whole + " has blanks at its ends", "write ${" + t + "}"}
	}
	kind, name, dotted := strings.Cut(inner, ".")
	p := part{text: inner, name: name}
	switch {
	case kind == "params" && dotted && valueName.MatchString(name):
		p.kind = paramValue
	case kind == "each" && dotted && valueName.MatchString(name):
		p.kind = eachValue
	case kind == "env" && dotted && envName.MatchString(name):
		p.kind = envValue
	case inner == "run.id":
		return part{text: inner, kind: runID}, nil
	case inner == "run.date", strings.HasPrefix(inner, "run.date-"), strings.HasPrefix(inner, "run.date+"), strings.HasPrefix(inner, "run.date:"):
		return parseDate(inner)
	default:
		return part{}, &fault{whole + " stands for nothing", "there are ${params.NAME}, ${env.NAME}, ${run.id}, ${run.date}, ${run.date-1d:%Y%m%d} and ${each.NAME}; write $${ for a literal ${"}
	}
	return p, nil
}

// parseDate reads run.date with its shifts and its format.
func parseDate(inner string) (part, *fault) {
	whole := "${" + inner + "}"
	p := part{text: inner, kind: runDate}
	rest, format, formatted := strings.Cut(strings.TrimPrefix(inner, "run.date"), ":")
	for rest != "" {
		m := shiftForm.FindStringSubmatch(rest)
		if m == nil {
			return part{}, &fault{fmt.Sprintf("%s: %q is no shift of a date", whole, rest), "write -1d for days, -1m for months, -1bd for business days"}
		}
		n, err := strconv.Atoi(m[2])
		switch {
		case m[3] != "d" && m[3] != "m" && m[3] != "bd":
			return part{}, &fault{fmt.Sprintf("%s: %q is no unit of a date", whole, m[3]), "write d for days, m for months, bd for business days"}
		case err != nil || n > 99999:
			return part{}, &fault{fmt.Sprintf("%s: %s is too far", whole, m[0]), "at most 99999 days or months"}
		case m[1] == "-":
			n = -n
		}
		p.shifts = append(p.shifts, shift{n, m[3]})
		rest = rest[len(m[0]):]
	}
	if formatted && format == "" {
		return part{}, &fault{whole + " has an empty format", "write it without the colon, or as ${run.date:%Y%m%d}"}
	}
	if f := checkFormat(format); f != nil {
		return part{}, &fault{whole + ": " + f.what, f.instead}
	}
	p.format = format
	return p, nil
}

// clip shortens what a message repeats.
func clip(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}
