package bayeux

import (
	"container/list"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"
)

// MemoryHistory is a [History] in memory, for one process. It is bounded and
// safe for concurrent use.
type MemoryHistory struct {
	options MemoryHistoryOptions

	mu       sync.Mutex
	last     int64
	first    int64
	bytes    int
	channels map[string]*channelHistory
	silence  list.List // of *channelHistory, the longest silent first
}

// MemoryHistoryOptions bounds a [MemoryHistory].
type MemoryHistoryOptions struct {
	// MaxMessages is how many messages of one channel are kept. Defaults
	// to 1,000.
	MaxMessages int
	// MaxAge is how long a message is kept; a large value keeps it as long as the
	// other limits do. Defaults to 10 minutes.
	MaxAge time.Duration
	// MaxBytes is how much data of all channels is kept; beyond it the
	// channels that were silent for longest are forgotten. Defaults to
	// 64 MiB.
	MaxBytes int
}

type channelHistory struct {
	name    string
	place   *list.Element
	events  []storedEvent
	bytes   int
	dropped int64 // the newest id that is not kept any more
}

type storedEvent struct {
	id   int64
	at   time.Time
	data json.RawMessage
}

// NewMemoryHistory makes an empty history. Options may be nil. Its replay ids
// go on rising after a restart as long as the clock does, so that an id of an
// earlier process is recognised as unknown: clients that subscribe with one are
// answered "400::replay_id_invalid" and subscribe again with [ReplayAll].
func NewMemoryHistory(options *MemoryHistoryOptions) (*MemoryHistory, error) {
	var o MemoryHistoryOptions
	if options != nil {
		o = *options
	}
	var faults []error
	if o.MaxMessages < 0 {
		faults = append(faults, fmt.Errorf("bayeux: MemoryHistoryOptions.MaxMessages must be positive, is %d", o.MaxMessages))
	}
	if o.MaxAge < 0 {
		faults = append(faults, fmt.Errorf("bayeux: MemoryHistoryOptions.MaxAge must be positive, is %v", o.MaxAge))
	}
	if o.MaxBytes < 0 {
		faults = append(faults, fmt.Errorf("bayeux: MemoryHistoryOptions.MaxBytes must be positive, is %d", o.MaxBytes))
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	if o.MaxMessages == 0 {
		o.MaxMessages = 1000
	}
	if o.MaxAge == 0 {
		o.MaxAge = 10 * time.Minute
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 64 << 20
	}
	start := time.Now().UnixMilli() * 100
	return &MemoryHistory{options: o, last: start, first: start, channels: make(map[string]*channelHistory)}, nil
}

// Record implements [History]. An object gets the member "event", any other
// data becomes the member "payload" of an object that has it.
func (h *MemoryHistory) Record(_ context.Context, channel string, data json.RawMessage) (json.RawMessage, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	h.last++
	e := storedEvent{h.last, now, withEvent(data, h.last, now)}
	c := h.channels[channel]
	if c == nil {
		const fixed = 256 // what an empty channel costs
		c = &channelHistory{name: channel, dropped: h.first, bytes: fixed}
		c.place = h.silence.PushBack(c)
		h.channels[channel] = c
		h.bytes += fixed
	}
	h.silence.MoveToBack(c.place)
	c.events = append(c.events, e)
	c.bytes += len(e.data)
	h.bytes += len(e.data)
	h.trim(c, now)
	for h.bytes > h.options.MaxBytes && len(h.channels) > 1 {
		h.forgetOldest()
	}
	return e.data, nil
}

// Since implements [History].
func (h *MemoryHistory) Since(_ context.Context, channel string, after int64) ([]json.RawMessage, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.channels[channel]
	if c == nil {
		c = &channelHistory{dropped: h.first}
	}
	h.trim(c, time.Now())
	if after != ReplayAll && (after < c.dropped || after > h.last) {
		return nil, fmt.Errorf("%w: %d", ErrReplayID, after)
	}
	var list []json.RawMessage
	for _, e := range c.events {
		if e.id > after {
			list = append(list, e.data)
		}
	}
	return list, nil
}

// Position implements [PositionedHistory].
func (h *MemoryHistory) Position(string) (id int64, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last, true
}

func (h *MemoryHistory) trim(c *channelHistory, now time.Time) {
	n := 0
	for n < len(c.events) && (len(c.events)-n > h.options.MaxMessages || now.Sub(c.events[n].at) > h.options.MaxAge) {
		c.dropped = c.events[n].id
		c.bytes -= len(c.events[n].data)
		h.bytes -= len(c.events[n].data)
		n++
	}
	c.events = slices.Delete(c.events, 0, n)
}

// forgetOldest drops the channel that was silent for longest. Ids from before
// that moment become unknown for all channels that come later.
func (h *MemoryHistory) forgetOldest() {
	c, _ := h.silence.Remove(h.silence.Front()).(*channelHistory)
	h.bytes -= c.bytes
	delete(h.channels, c.name)
	h.first = h.last
}

// withEvent adds the member "event" to an object, in place of one that is
// there.
func withEvent(data []byte, id int64, now time.Time) json.RawMessage {
	b := append(make([]byte, 0, len(data)+96), `{"event":{"replayId":`...)
	b = strconv.AppendInt(b, id, 10)
	b = append(b, `,"createdDate":"`...)
	b = now.UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z")
	b = append(b, `"}`...)
	if len(data) == 0 || data[0] != '{' {
		if len(data) == 0 {
			data = []byte("null")
		}
		b = append(append(b, `,"payload":`...), data...)
		return append(b, '}')
	}
	for _, f := range members(data) {
		if f.name == "event" {
			continue
		}
		b = append(b, ',')
		b = appendString(b, f.name)
		b = append(append(b, ':'), f.value...)
	}
	return append(b, '}')
}
