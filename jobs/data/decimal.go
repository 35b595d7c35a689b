package data

import (
	"math"
	"math/big"
)

// maxScale bounds the decimals of a number, and with them the memory of a sum.
const maxScale = 64

// total adds up decimals exactly. Small ones, which nearly all are, cost two additions.
type total struct {
	small [19]int64        // by the number of decimals
	large map[int]*big.Int // by the number of decimals: what does not fit
}

// add adds a number: digits, with a sign before and decimals behind a point, if any. No
// text is 0. What else is no number is not added.
func (t *total) add(text []byte) bool {
	if len(text) == 0 {
		return true
	}
	negative := text[0] == '-'
	if negative || text[0] == '+' {
		text = text[1:]
	}
	var n int64
	digits, scale, point := 0, 0, false
	for _, c := range text {
		switch {
		case c == '.' && !point:
			point = true
			continue
		case c < '0' || c > '9':
			return false
		}
		if digits++; digits <= 18 {
			n = n*10 + int64(c-'0')
		}
		if point {
			scale++
		}
	}
	if digits == 0 || digits > maxNumber || scale > maxScale {
		return false
	}
	if digits > 18 {
		return t.addLarge(text, scale, negative)
	}
	if negative {
		n = -n
	}
	if sum := t.small[scale]; n > 0 && sum > math.MaxInt64-n || n < 0 && sum < math.MinInt64-n {
		t.spill(scale, big.NewInt(sum))
		t.small[scale] = 0
	}
	t.small[scale] += n
	return true
}

func (t *total) addLarge(text []byte, scale int, negative bool) bool {
	digits := make([]byte, 0, len(text))
	for _, c := range text {
		if c != '.' {
			digits = append(digits, c)
		}
	}
	n, ok := new(big.Int).SetString(string(digits), 10)
	if !ok {
		return false
	}
	if negative {
		n.Neg(n)
	}
	t.spill(scale, n)
	return true
}

func (t *total) spill(scale int, n *big.Int) {
	if t.large == nil {
		t.large = map[int]*big.Int{}
	}
	if sum, ok := t.large[scale]; ok {
		sum.Add(sum, n)
	} else {
		t.large[scale] = n
	}
}

// sum is what was added up.
func (t *total) sum() *big.Rat {
	sum := new(big.Rat)
	plus := func(n *big.Int, scale int) {
		tens := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil)
		sum.Add(sum, new(big.Rat).SetFrac(n, tens))
	}
	for scale, n := range t.small {
		plus(big.NewInt(n), scale)
	}
	for scale, n := range t.large {
		plus(n, scale)
	}
	return sum
}

// decimal reads one number as [total.add] does; not ok for no text too.
func decimal(text string) (*big.Rat, bool) {
	var t total
	if text == "" || !t.add([]byte(text)) {
		return nil, false
	}
	return t.sum(), true
}
