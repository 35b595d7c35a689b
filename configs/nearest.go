package configs

import (
	"slices"
	"strings"
)

// Nearest returns the name that somebody who wrote s most likely meant, and "" when none
// is near enough. Case and the difference between - and _ count little.
func Nearest(s string, names []string) string {
	best, least := "", 0
	for _, n := range names {
		d := Distance(fold(s), fold(n))
		if d <= max(1, min(len(n), len(s))/3) && (best == "" || d < least) {
			best, least = n, d
		}
	}
	return best
}

// oneOf is the second half of a message about an unknown name: the nearest known one,
// else all of them, else what to do when there is none.
func oneOf(s string, names []string, none string) string {
	if n := Nearest(s, names); n != "" {
		return "did you mean " + n + "?"
	}
	if len(names) == 0 {
		return none
	}
	sorted := slices.Sorted(slices.Values(names))
	return "there is " + strings.Join(sorted, ", ")
}

func fold(s string) string {
	return strings.NewReplacer("-", "_", " ", "_").Replace(strings.ToLower(s))
}

// Distance is how many letters must be inserted, removed, replaced or swapped with their
// neighbour to turn a into b.
func Distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	before, last, row := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := range x {
		row[0] = i + 1
		for j := range y {
			change := last[j]
			if x[i] != y[j] {
				change++
			}
			row[j+1] = min(change, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && x[i] == y[j-1] && x[i-1] == y[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(y)]
}
