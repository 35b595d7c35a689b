package transfer

import (
	"bytes"
	"testing"
)

// TestSlabsAreMadeAsTheyAreReserved: in pieces of several, but never more than may be in use,
// and each is memory of its own.
func TestSlabsAreMadeAsTheyAreReserved(t *testing.T) {
	b := NewBudget(50 * slabSize)
	var mine [][]byte
	take := func(reserve, slabs, made int) {
		t.Helper()
		if err := b.reserve(t.Context(), int64(reserve)); err != nil {
			t.Fatal(err)
		}
		for range slabs {
			s := b.slab(slabSize)
			if len(s) != slabSize || cap(s) != slabSize {
				t.Fatalf("%d bytes, of %d", len(s), cap(s))
			}
			for i := range s {
				s[i] = byte(len(mine))
			}
			mine = append(mine, s)
		}
		if b.made != int64(made) {
			t.Errorf("%d were made, want %d", b.made, made)
		}
	}
	take(3, 1, 3)
	take(0, 2, 3)
	take(20, 1, 19)
	take(0, 19, 23)
	for i, s := range mine {
		if !bytes.Equal(s, bytes.Repeat([]byte{byte(i)}, slabSize)) {
			t.Errorf("slab %d was written over", i)
		}
	}
	b.recycle(mine...)
	b.release(20)
	mine = nil
	take(20, 23, 23)
	b.recycle(mine...)
	b.release(23)
	if b.free != nil || b.made != 0 {
		t.Errorf("%d slabs are kept when none is in use, and %d count as made", len(b.free), b.made)
	}
}
