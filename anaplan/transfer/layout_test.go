package transfer

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestLayout(t *testing.T) {
	for _, tt := range []struct {
		size, chunk int64
		n           int
		first, last int64
	}{
		{1, 0, 1, 1, 1},
		{DefaultChunk, 0, 1, DefaultChunk, DefaultChunk},
		{DefaultChunk + 1, 0, 2, DefaultChunk, 1},
		{10, 3, 4, 3, 1},
		{9, 3, 3, 3, 3},
		{1000, 1, 1000, 1, 1},
		{1001, 1, 501, 2, 1}, // chunks grow so that there are no more than 1,000
		{5_000_000_000, 1, 1000, 5_000_000, 5_000_000},
		{100_000_000, 1 << 40, 2, MaxChunk, MaxChunk},
		{MaxChunk * MaxChunks, 0, 1000, MaxChunk, MaxChunk},
	} {
		got, err := layout(tt.size, tt.chunk)
		if err != nil || len(got) != tt.n || got[0].size != tt.first || got[len(got)-1].size != tt.last {
			t.Errorf("layout(%d, %d) is %d chunks, %v", tt.size, tt.chunk, len(got), err)
		}
	}
	if got, err := layout(MaxChunk*MaxChunks+1, 0); got != nil || !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "1000 chunks of 50 MB") {
		t.Errorf("%d chunks, %v", len(got), err)
	}
}

func TestLayoutCoversTheFile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.Int64Range(1, MaxChunk*MaxChunks).Draw(t, "size")
		chunk := rapid.Int64Range(-1, 2*MaxChunk).Draw(t, "chunk")
		pieces, err := layout(size, chunk)
		if err != nil || len(pieces) > MaxChunks {
			t.Fatalf("%d chunks, %v", len(pieces), err)
		}
		at := int64(0)
		for i, p := range pieces {
			if p.n != i || p.offset != at || p.size <= 0 || p.size > MaxChunk || i < len(pieces)-1 && p.size != pieces[0].size {
				t.Fatalf("%d: %+v at %d", i, p, at)
			}
			at += p.size
		}
		if at != size {
			t.Fatalf("covers %d of %d", at, size)
		}
	})
}

func TestGrowing(t *testing.T) {
	for _, tt := range []struct {
		n           int
		chunk, want int64
	}{{0, 0, DefaultChunk}, {0, 7, 7}, {499, 7, 7}, {500, 7, MaxChunk}, {999, 0, MaxChunk}, {0, 1 << 40, MaxChunk}} {
		if got := growing(tt.n, tt.chunk); got != tt.want {
			t.Errorf("growing(%d, %d) = %d, want %d", tt.n, tt.chunk, got, tt.want)
		}
	}
}

func TestChunkFor(t *testing.T) {
	const mib = 1 << 20
	for _, tt := range []struct {
		size     int64
		parallel int
		memory   int64
		want     int64
	}{
		{1, 4, DefaultMemory, mib},
		{1_000_000, 4, DefaultMemory, mib},
		{30_000_000, 4, DefaultMemory, 10 * slabSize},
		{100_000_000, 8, DefaultMemory, 8 * mib},
		{10_000_000_000, 8, DefaultMemory, 8 * mib}, // and layout makes them larger
		{10_000_000_000, 64, DefaultMemory, 7 * slabSize},
		{10_000_000_000, 8, 10 * mib, mib},
		{10_000_000_000, 8, mib, slabSize},
	} {
		if got := chunkFor(tt.size, tt.parallel, tt.memory); got != tt.want {
			t.Errorf("chunkFor(%d, %d, %d) = %d, want %d", tt.size, tt.parallel, tt.memory, got, tt.want)
		}
	}
}

// With little memory chunks are smaller; with too little for a thousand of them it is said
// before anything is sent.
func TestLittleMemory(t *testing.T) {
	for _, tt := range []struct {
		size, asked, slabs int64
		chunks             int
		want               error
	}{
		{10 * slabSize, 0, leastSlabs, 10, nil},
		{10 * slabSize, 50_000_000, 4, 4, nil},
		{3000 * slabSize, 0, 4, 1000, nil},
		{3000*slabSize + 1, 0, 4, 0, ErrTooLarge},
	} {
		s, err := newSender(nil, Upload{Size: tt.size, ChunkSize: tt.asked, Memory: NewBudget(tt.slabs * slabSize), Gzip: "2"})
		if err != nil {
			t.Fatal(err)
		}
		if pieces, err := s.layout(); !errors.Is(err, tt.want) || len(pieces) != tt.chunks {
			t.Errorf("%+v: %d chunks, %v", tt, len(pieces), err)
		}
	}
}
