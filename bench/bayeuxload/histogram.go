package main

import (
	"math/bits"
	"time"
)

// histogram counts durations with an error of at most 1.6 %.
type histogram struct {
	counts [64 * cells]int64
	total  int64
	most   time.Duration
}

const (
	cellBits = 6
	cells    = 1 << cellBits // of each power of two
)

func (h *histogram) add(d time.Duration) {
	d = max(d, 0)
	h.counts[cell(uint64(d))]++
	h.total++
	h.most = max(h.most, d)
}

func cell(n uint64) int {
	if n < cells {
		return int(n)
	}
	shift := bits.Len64(n) - cellBits - 1
	return (shift+1)*cells + int(n>>shift) - cells
}

// lowest is the least value of a cell.
func lowest(i int) uint64 {
	if i < cells {
		return uint64(i)
	}
	shift := i/cells - 1
	return uint64(i%cells+cells) << shift
}

// at returns the duration that the share of all values does not exceed.
func (h *histogram) at(share float64) time.Duration {
	left := int64(share * float64(h.total))
	for i, n := range h.counts {
		if left -= n; left < 0 {
			return min(time.Duration(lowest(i+1)-1), h.most)
		}
	}
	return h.most
}
