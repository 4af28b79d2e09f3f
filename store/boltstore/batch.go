package boltstore

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/store/internal/change"
)

// A journal batch holds the events of one transaction under the position of
// its last event; positions within are consecutive. Its payload is
//
//	newest time of the events
//	topics:  number, then each as bytes
//	lists:   number, then each as number and places in topics
//	events:  number, then each as place in lists, JSON, Data
//
// so that a thousand events for the same thousand topics name them once.

// preparedEvents are events encoded as far as they can be before their
// transaction is known. They share nothing with the caller.
type preparedEvents struct {
	lists  [][]webconferencing.Topic
	list   []int // of each event, its place in lists
	text   [][]byte
	data   [][]byte
	newest time.Time
	size   int // about, in bytes
}

func prepareEvents(events []webconferencing.Event) (*preparedEvents, error) {
	p := &preparedEvents{}
	for i, e := range change.Events(events) {
		text, err := json.Marshal(withoutData(e))
		if err != nil {
			return nil, fmt.Errorf("event %d: %w", i, err)
		}
		if n := len(p.lists); n == 0 || !change.SameTopics(p.lists[n-1], e.Topics) {
			p.lists = append(p.lists, e.Topics)
			for _, topic := range e.Topics {
				p.size += len(topic)
			}
		}
		p.list = append(p.list, len(p.lists)-1)
		p.text = append(p.text, text)
		p.data = append(p.data, e.Data)
		p.size += len(text) + len(e.Data)
		if i == 0 || e.Time.After(p.newest) {
			p.newest = e.Time
		}
	}
	return p, nil
}

// withoutData takes out what is stored beside the JSON: Data is kept byte by
// byte.
func withoutData(e webconferencing.Event) *webconferencing.Event {
	e.Data = nil
	return &e
}

// batchBuilder joins the events of the changes of one transaction.
type batchBuilder struct {
	parts  []*preparedEvents
	events int
}

func (b *batchBuilder) add(p *preparedEvents) {
	b.parts = append(b.parts, p)
	b.events += len(p.list)
}

// build returns the payload and the topics, each once.
func (b *batchBuilder) build() ([]byte, []webconferencing.Topic) {
	var (
		newest time.Time
		topics []webconferencing.Topic
		place  = make(map[webconferencing.Topic]uint64)
		lists  []byte
		nLists int
		last   []webconferencing.Topic
		events []byte
	)
	for i, p := range b.parts {
		if i == 0 || p.newest.After(newest) {
			newest = p.newest
		}
		at := make([]int, len(p.lists))
		for j, list := range p.lists {
			if nLists == 0 || !change.SameTopics(last, list) {
				lists = binary.AppendUvarint(lists, uint64(len(list)))
				for _, topic := range list {
					n, ok := place[topic]
					if !ok {
						n = uint64(len(topics))
						place[topic] = n
						topics = append(topics, topic)
					}
					lists = binary.AppendUvarint(lists, n)
				}
				nLists++
				last = list
			}
			at[j] = nLists - 1
		}
		for j, list := range p.list {
			events = binary.AppendUvarint(events, uint64(at[list]))
			events = appendBytes(events, p.text[j])
			events = appendBytes(events, p.data[j])
		}
	}
	payload := appendTime(nil, newest)
	payload = binary.AppendUvarint(payload, uint64(len(topics)))
	for _, topic := range topics {
		payload = appendBytes(payload, topic)
	}
	payload = binary.AppendUvarint(payload, uint64(nLists))
	payload = append(payload, lists...)
	payload = binary.AppendUvarint(payload, uint64(b.events))
	return append(payload, events...), topics
}

// batch is a decoded journal batch. It is shared between the cache and all
// readers and never changed.
type batch struct {
	newest time.Time
	topics []webconferencing.Topic
	events []webconferencing.Event
	list   []int                           // of each event
	lists  map[webconferencing.Topic][]int // those that name the topic, ascending
	size   int                             // of the record, in bytes
}

// first returns the position of the first event.
func (b *batch) first() webconferencing.Position { return b.events[0].Position }

// decodeBatchHead decodes the newest time and the topics of a batch.
func decodeBatchHead(key, raw []byte) (*batch, *decoder, error) {
	payload, err := unseal(kindBatch, key, raw)
	if err != nil {
		return nil, nil, err
	}
	d := &decoder{b: payload}
	b := &batch{newest: d.time(), size: len(raw)}
	b.topics = make([]webconferencing.Topic, d.count())
	for i := range b.topics {
		b.topics[i] = webconferencing.Topic(d.bytes())
	}
	if d.err != nil {
		return nil, nil, corrupt(kindBatch, key, d.err)
	}
	return b, d, nil
}

// decodeBatch decodes a batch. It keeps nothing of raw.
func decodeBatch(key, raw []byte) (*batch, error) {
	b, d, err := decodeBatchHead(key, raw)
	if err != nil {
		return nil, err
	}
	bad := func(err error) error { return corrupt(kindBatch, key, err) }
	lists := b.decodeLists(d)
	n := d.count()
	if d.err == nil && (n == 0 || len(key) != positionLength || uint64(n) > binary.BigEndian.Uint64(key)) {
		return nil, bad(fmt.Errorf("%w: %d events", ErrDamaged, n))
	}
	b.events = make([]webconferencing.Event, n)
	b.list = make([]int, n)
	for i := range b.events {
		list, text, data := d.uvarint(), d.bytes(), d.bytes()
		if d.err == nil && (list >= uint64(len(lists)) || i > 0 && int(list) < b.list[i-1]) {
			d.fail()
		}
		if d.err != nil {
			break
		}
		e := &b.events[i]
		if err := json.Unmarshal(text, e); err != nil {
			return nil, bad(fmt.Errorf("%w: %w", ErrDamaged, err))
		}
		b.list[i] = int(list)
		e.Topics = lists[list]
		e.Position = webconferencing.Position(binary.BigEndian.Uint64(key) - uint64(n-1-i))
		e.Data = nil
		if len(data) > 0 {
			e.Data = append(json.RawMessage{}, data...)
		}
	}
	if err := d.end(); err != nil {
		return nil, bad(err)
	}
	return b, nil
}

// decodeLists decodes the lists of topics and notes which topic is in which.
func (b *batch) decodeLists(d *decoder) [][]webconferencing.Topic {
	lists := make([][]webconferencing.Topic, d.count())
	b.lists = make(map[webconferencing.Topic][]int, len(b.topics))
	for i := range lists {
		n := d.count()
		if n > 0 {
			lists[i] = make([]webconferencing.Topic, n)
		}
		for j := range lists[i] {
			place := d.uvarint()
			if d.err != nil || place >= uint64(len(b.topics)) {
				d.fail()
				return nil
			}
			topic := b.topics[place]
			lists[i][j] = topic
			if in := b.lists[topic]; len(in) == 0 || in[len(in)-1] != i {
				b.lists[topic] = append(in, i)
			}
		}
	}
	return lists
}

// appendEvents appends to out the events of the topic after the position until
// out has limit events.
func (b *batch) appendEvents(out []webconferencing.Event, topic webconferencing.Topic, after webconferencing.Position, limit int) []webconferencing.Event {
	in := b.lists[topic]
	k := 0 // lists of events ascend, so one pass over both suffices
	for i := range b.events {
		if len(out) >= limit {
			break
		}
		if topic != webconferencing.AllTopics {
			for k < len(in) && in[k] < b.list[i] {
				k++
			}
			if k == len(in) {
				break
			}
			if in[k] != b.list[i] {
				continue
			}
		}
		if b.events[i].Position > after {
			out = append(out, b.events[i])
		}
	}
	return out
}
