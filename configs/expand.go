package configs

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Values is what stands for ${…} when a run is created.
type Values struct {
	Params map[string]string                // as [Job.ParamValues] returned them
	Env    func(name string) (string, bool) // nil: no variable is set
	RunID  string
	Date   time.Time // its calendar day in its own location is run.date
}

// maxUnfold is how many steps one for_each may give; more is taken for a mistake.
const maxUnfold = 1000

// Expand returns the job with every ${…} replaced, every for_each unfolded, and every path
// of a source, a target or what belongs to them absolute, relative ones taken from Job.Dir;
// URLs stay as they are. It reads the calendar, if the job has one, and no other file. j
// itself is not changed; [Job.Defaults] stays as written, since the steps have taken its
// values.
//
// Everything that is wrong comes back at once and the job is nil: [Problems] for what is
// wrong in the file or its surroundings, [*ParamError]s for what the caller gave, joined
// when there is more than one of these.
func (j *Job) Expand(v Values) (*Job, error) {
	e := &expander{job: j, values: v}
	e.resolveParams()

	out := *j
	if j.Inline != nil {
		c := *j.Inline
		c.Certificates, c.PrivateKeys = slices.Clone(c.Certificates), slices.Clone(c.PrivateKeys)
		out.Inline = &c
	}
	if j.OnEnd != nil {
		c := *j.OnEnd
		c.Command = slices.Clone(c.Command)
		out.OnEnd = &c
	}
	out.Holidays = e.holidays
	jobTexts(&out, func(key string, kind textKind, text *string) {
		if kind == calendarText {
			*text = e.calendar
			return
		}
		*text = e.expand(j.Positions, "", key, *text, kind, nil)
	})

	e.settle(j.Positions, "", "anaplan.workspace", j.Workspace, &out.Workspace, workspaceID.read)
	e.settle(j.Positions, "", "anaplan.model", j.Model, &out.Model, modelID.read)

	out.Steps = make([]Step, 0, len(j.Steps))
	first := map[string]Step{}
	for i := range j.Steps {
		for _, s := range e.unfold(j.Steps[i]) {
			stepTexts(&s, func(key string, kind textKind, text *string) {
				*text = e.expand(s.Positions, s.prefix(), key, *text, kind, s.Each)
			})
			e.settleStep(&j.Steps[i], &s)
			if other, taken := first[s.Name]; taken {
				e.problem(s.Positions, s.prefix(), "name", fault{fmt.Sprintf("the name %q is given twice, also in line %d", s.Name, other.Positions.Near("name").Line), "step names are unique in a job"})
				continue
			}
			first[s.Name] = s
			out.Steps = append(out.Steps, s)
		}
	}
	e.settleAfter(out.Steps)
	if err := e.err(); err != nil {
		return nil, err
	}
	return &out, nil
}

// settleStep looks at what the decoder left alone because of a ${…}.
func (e *expander) settleStep(was, now *Step) {
	e.settle(now.Positions, now.prefix(), string(now.Verb), was.Object, &now.Object, func(r Ref) (Ref, *fault) { return readObject(now.Verb, r, true) })
	e.settle(now.Positions, now.prefix(), "workspace", was.Workspace, &now.Workspace, workspaceID.read)
	e.settle(now.Positions, now.prefix(), "model", was.Model, &now.Model, modelID.read)
	e.settleFiles(was, now)
	if hasValue(was.Locale) && now.Locale != was.Locale {
		if f := checkLocale(now.Locale); f != nil {
			e.problem(now.Positions, now.prefix(), "locale", *f)
		}
	}
}

// settle tells ids from names where the decoder saw a ${…}.
func (e *expander) settle(at Positions, prefix, key string, was Ref, now *Ref, read func(Ref) (Ref, *fault)) {
	if !hasValue(was.ID) && !hasValue(was.Name) || *now == was {
		return
	}
	ref, f := read(*now)
	if f != nil {
		e.problem(at, prefix, key, *f)
	}
	*now = ref
}

// An expander replaces ${…} and collects what is wrong.
type expander struct {
	job      *Job
	values   Values
	params   map[string]string
	calendar string // its path
	holidays holidays
	problems Problems
	wrong    []error // of type *ParamError
}

// resolveParams works out the defaults that hold a ${…}, and finds what is missing. The
// path of the calendar may hold parameters, and defaults may count its business days.
func (e *expander) resolveParams() {
	e.params = map[string]string{}
	counts := func(p Param) bool { return inBusinessDays(p.Default) }
	e.resolve(slices.DeleteFunc(slices.Clone(e.job.Params), counts))
	e.readCalendar()
	e.resolve(slices.DeleteFunc(slices.Clone(e.job.Params), func(p Param) bool { return !counts(p) }))
}

func (e *expander) resolve(params []Param) {
	for _, p := range params {
		if v, ok := e.values.Params[p.Name]; ok {
			e.params[p.Name] = v
			continue
		}
		if !p.HasValue {
			if p.Required {
				e.param(p.Name, "is required"+aside(p.Help), "add --param "+p.Name+"=…"+aside(allowed(p)))
			}
			continue
		}
		key := "params." + QuoteKey(p.Name) + ".default"
		v := e.expand(e.job.Positions, "", key, p.Default, plainText, nil)
		e.params[p.Name] = v
		if f := checkParam(p, v); f != nil {
			e.problem(e.job.Positions, "", key, *f)
		}
	}
}

// unfold returns the steps that a step stands for, with strings of their own.
func (e *expander) unfold(s Step) []Step {
	if s.Base == "" {
		s.Base = s.Name
	}
	count := 1
	for _, a := range s.ForEach {
		count *= len(a.Values)
		if len(a.Values) == 0 {
			e.problem(s.Positions, s.prefix(), "for_each."+QuoteKey(a.Name), fault{"has no values, so there would be no step", "give it at least one, or set enabled = false"})
		}
		if count > maxUnfold {
			e.problem(s.Positions, s.prefix(), "for_each", fault{fmt.Sprintf("gives more than %d steps", maxUnfold), "write fewer values"})
			return nil
		}
	}
	axes := s.ForEach
	s.ForEach = nil
	out := make([]Step, 0, count)
	for n := range count {
		u := s
		copyTexts(&u)
		if len(axes) > 0 {
			u.Each = map[string]string{}
			chosen := make([]string, len(axes))
			// The last axis turns fastest.
			for rest, i := n, len(axes)-1; i >= 0; i-- {
				chosen[i] = axes[i].Values[rest%len(axes[i].Values)]
				u.Each[axes[i].Name] = chosen[i]
				rest /= len(axes[i].Values)
			}
			u.Name = s.Base + "[" + strings.Join(chosen, ",") + "]"
		}
		out = append(out, u)
	}
	return out
}

// expand replaces what text holds, and makes a path absolute. What is wrong is noted
// under key.
func (e *expander) expand(at Positions, prefix, key, text string, kind textKind, each map[string]string) string {
	parts, faults := parseValue(text)
	for _, f := range faults {
		e.problem(at, prefix, key, f)
	}
	if len(faults) > 0 {
		return text
	}
	whole := true
	inURL := kind == besideText || scheme.MatchString(text)
	var result, mask strings.Builder // mask has an x for each value that came from the caller
	for _, p := range parts {
		value, f := e.value(p, each)
		if f != nil {
			if *f != noted {
				e.problem(at, prefix, key, *f)
			}
			whole = false
			continue
		}
		result.WriteString(value)
		if p.kind != paramValue && p.kind != runID {
			mask.WriteString(value)
			continue
		}
		mask.WriteString("x")
		if kind != plainText && (unsafeInPath(value) || inURL && unsafeInURL(value)) {
			e.unsafe(at, prefix, key, p, value)
			whole = false
		}
	}
	out := result.String()
	if !whole {
		return text
	}
	if out == "" && text != "" {
		e.problem(at, prefix, key, fault{text + " is empty here", "give it a value"})
		return text
	}
	if kind == plainText || text == "" {
		return out
	}
	if climbs(out, mask.String()) {
		e.problem(at, prefix, key, fault{fmt.Sprintf("%s becomes the path %s, which leaves its folder", shown(text), shown(out)), "use values without dots and colons"})
		return text
	}
	if kind == keyText {
		return out
	}
	out, f := absolute(e.job.Dir, text, out, kind)
	if f != nil {
		e.problem(at, prefix, key, *f)
	}
	return out
}

// noted is a fault that stands in expander.wrong already.
var noted fault

// value is what one part stands for.
func (e *expander) value(p part, each map[string]string) (string, *fault) {
	switch p.kind {
	case paramValue:
		v, ok := e.params[p.name]
		i := slices.IndexFunc(e.job.Params, func(x Param) bool { return x.Name == p.name })
		switch {
		case i < 0:
			faults := checkValue("${"+p.text+"}", known{params: paramNames(e.job.Params)})
			return "", &faults[0]
		case !ok && !e.job.Params[i].Required:
			e.param(p.name, "is used, has no default, and was not given", "add --param "+p.name+"=… or a default in the job file")
			return "", &noted
		case !ok:
			return "", &noted
		}
		return v, nil
	case envValue:
		if e.values.Env != nil {
			if v, ok := e.values.Env(p.name); ok {
				return v, nil
			}
		}
		return "", &fault{fmt.Sprintf("${env.%s}: the environment has no variable %s", p.name, p.name), "set it where the runner is started"}
	case runID:
		return e.values.RunID, nil
	case runDate:
		t := shiftDate(e.values.Date, p.shifts, e.holidays)
		if t.Year() < 1 || t.Year() > 9999 {
			return "", &fault{fmt.Sprintf("${%s} is in the year %d", p.text, t.Year()), "use a smaller shift"}
		}
		return formatDate(t, p.format), nil
	case eachValue:
		v, ok := each[p.name]
		if !ok {
			faults := checkValue("${"+p.text+"}", known{each: axisOf(each)})
			return "", &faults[0]
		}
		return v, nil
	}
	return p.text, nil
}

func axisOf(each map[string]string) []string {
	var names []string
	for n := range each {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

func (e *expander) problem(at Positions, prefix, key string, f fault) {
	if p := problemAt(e.job.File, at, prefix, key, f); !slices.Contains(e.problems, p) {
		e.problems = append(e.problems, p)
	}
}

func (e *expander) param(name, what, instead string) {
	p := ParamError{name, what, instead}
	if !slices.ContainsFunc(e.wrong, func(err error) bool { return *err.(*ParamError) == p }) {
		e.wrong = append(e.wrong, &p)
	}
}

func (e *expander) err() error {
	var all []error
	if err := e.problems.err(); err != nil {
		all = append(all, err)
	}
	all = append(all, e.wrong...)
	if len(all) == 1 {
		return all[0]
	}
	return errors.Join(all...)
}
