package memstore

import (
	"fmt"
	"slices"
	"time"

	"github.com/webconferencing/webconferencing"
)

// journal is the list of events. Positions have no gaps, so that an event's
// place in the slice follows from its position.
type journal struct {
	events  []webconferencing.Event
	commits []commit // oldest first, those whose events are still there
	last    webconferencing.Position
	trimmed webconferencing.Position // the last position that was dropped
	topics  map[webconferencing.Topic][]webconferencing.Position
}

// commit says how far the events of one commit go. They are dropped together,
// as in the durable stores.
type commit struct {
	last   webconferencing.Position
	newest time.Time
}

// add appends events, which the journal owns from now on.
func (j *journal) add(events []webconferencing.Event) {
	if len(events) == 0 {
		return
	}
	c := commit{newest: events[0].Time}
	for _, e := range events {
		j.last++
		e.Position = j.last
		if e.Time.After(c.newest) {
			c.newest = e.Time
		}
		for _, topic := range e.Topics {
			at := j.topics[topic]
			if len(at) == 0 || at[len(at)-1] != e.Position {
				j.topics[topic] = append(at, e.Position)
			}
		}
		j.events = append(j.events, e)
	}
	c.last = j.last
	j.commits = append(j.commits, c)
}

// read returns up to limit events of the topic after the position.
func (j *journal) read(topic webconferencing.Topic, after webconferencing.Position, limit int) ([]webconferencing.Event, error) {
	if after < j.trimmed {
		return nil, fmt.Errorf("events after %d, the journal begins after %d: %w",
			after, j.trimmed, webconferencing.ErrPositionGone)
	}
	out := []webconferencing.Event{}
	if after >= j.last || limit <= 0 {
		return out, nil
	}
	if topic == webconferencing.AllTopics {
		rest := j.events[after-j.trimmed:]
		return append(out, rest[:min(limit, len(rest))]...), nil
	}
	at := j.topics[topic]
	i, _ := slices.BinarySearch(at, after+1)
	for _, p := range at[i:min(len(at), i+min(limit, len(at)))] {
		out = append(out, j.events[p-j.trimmed-1])
	}
	return out, nil
}

// trim drops the oldest commits as long as all their events are before the
// time.
func (j *journal) trim(before time.Time) {
	n := 0
	for n < len(j.commits) && j.commits[n].newest.Before(before) {
		n++
	}
	if n == 0 {
		return
	}
	mark := j.commits[n-1].last
	dropped := j.events[:mark-j.trimmed]
	for _, e := range dropped {
		for _, topic := range e.Topics {
			j.forget(topic, mark)
		}
	}
	// The next append that needs room leaves the dropped part behind; until
	// then it holds at least nothing alive.
	clear(dropped)
	j.events = j.events[len(dropped):]
	j.commits = j.commits[n:]
	j.trimmed = mark
}

// forget removes the topic's positions up to the mark.
func (j *journal) forget(topic webconferencing.Topic, mark webconferencing.Position) {
	at := j.topics[topic]
	i, _ := slices.BinarySearch(at, mark+1)
	switch {
	case i == 0:
	case i == len(at):
		delete(j.topics, topic)
	default:
		j.topics[topic] = at[i:]
	}
}
