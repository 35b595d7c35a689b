package jobs

import (
	"fmt"
	"slices"
)

// sequence orders the steps that fill or read one server file, where `needs` leaves it
// open: what an upload step uploads stays until every import that reads it has ended. A
// step that fills the same file is done before that upload, or after those imports. Where
// the job orders it in between it is a problem: the imports would load other bytes.
func (b *binder) sequence() {
	for reader := range b.out.Steps {
		for _, in := range b.out.Steps[reader].Reads {
			if in.By < 0 {
				continue
			}
			for other := range b.out.Steps {
				if other != in.By && other != reader && b.fills(other, in.File.ID, in.By) {
					b.keepApart(other, in.By, reader, in)
				}
			}
		}
	}
}

// fills says whether a step uploads to a server file of the model and login of step of.
func (b *binder) fills(i int, file string, of int) bool {
	if b.out.Steps[i].Model != b.out.Steps[of].Model || b.user(i) != b.user(of) {
		return false
	}
	return slices.ContainsFunc(b.out.Steps[i].Reads, func(in FileInput) bool { return in.File.ID == file && in.Own() })
}

// keepApart sees to it that step other is not between the upload and its reader.
func (b *binder) keepApart(other, upload, reader int, in FileInput) {
	switch {
	case b.follows(upload, other), b.follows(other, reader):
		return
	case other < upload && !b.follows(other, upload):
		b.out.Steps[upload].After = append(b.out.Steps[upload].After, other)
	case !b.follows(reader, other):
		b.out.Steps[other].After = append(b.out.Steps[other].After, reader)
	default:
		p := b.plan.Steps
		b.wrong(p[other], "needs", fmt.Sprintf("let it wait for step %q", p[reader].Name),
			"it fills server file %q after step %q has, and before step %q reads that", in.File.Name, p[upload].Name, p[reader].Name)
	}
}

// follows says whether step i begins after step j has ended: by what it waits for, or by
// what was sequenced.
func (b *binder) follows(i, j int) bool { return b.out.follows(i, j) }

func (b *Bound) follows(i, j int) bool {
	seen := make([]bool, len(b.Plan.Steps))
	var visit func(k int) bool
	visit = func(k int) bool {
		if seen[k] {
			return false
		}
		seen[k] = true
		for _, w := range slices.Concat(b.Plan.Steps[k].Waits, b.Steps[k].After) {
			if w == j || visit(w) {
				return true
			}
		}
		return false
	}
	return visit(i)
}
