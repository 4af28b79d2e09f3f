package bayeux

import (
	"slices"
	"sync"
)

// joinedFrame remembers the last frame that was made of several messages: when
// much is broadcast, many sockets in a row have the same messages waiting.
type joinedFrame struct {
	mu   sync.Mutex
	list []*Prepared
	made []byte
}

// frame returns the messages as one WebSocket frame, which must not be changed.
// The list is not kept.
func (j *joinedFrame) frame(list []*Prepared) []byte {
	if len(list) == 1 {
		return list[0].wire
	}
	j.mu.Lock()
	if slices.Equal(j.list, list) {
		frame := j.made
		j.mu.Unlock()
		return frame
	}
	j.mu.Unlock()
	frame := textFrame(list)
	j.mu.Lock()
	j.list = append(j.list[:0], list...)
	j.made = frame
	j.mu.Unlock()
	return frame
}

// forget lets go of the memory.
func (j *joinedFrame) forget() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.list, j.made = nil, nil
}
