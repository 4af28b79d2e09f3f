package httpapi

import (
	"encoding/json"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/internal/wire"
)

// userEventView is what a user channel carries. Old clients read the first
// group of fields and ignore the second.
type userEventView struct {
	EventType    string   `json:"eventType"`
	CallID       string   `json:"callId"`
	ProviderType string   `json:"providerType"`
	CallState    string   `json:"callState,omitempty"`
	Owner        refView  `json:"owner"`
	Part         *idView  `json:"part,omitempty"`
	ClientID     *string  `json:"clientId,omitempty"`
	Epoch        uint64   `json:"epoch"`
	Version      uint64   `json:"version"`
	Time         wireTime `json:"time"`
	Title        string   `json:"title"`
	Reason       string   `json:"reason,omitempty"`
	Cause        string   `json:"cause,omitempty"`
	Actor        string   `json:"actor,omitempty"`
	Waiting      bool     `json:"waiting,omitempty"`
	Silent       bool     `json:"silent,omitempty"`
	Count        int      `json:"count,omitempty"`
	// Ring and Legs are what a ring came to, on the whole and on each device.
	Ring string    `json:"ring,omitempty"`
	Legs []legView `json:"legs,omitempty"`
}

type idView struct {
	ID string `json:"id"`
}

// viewUserEvent returns the data of a user event, nil for an event that users
// are not told of.
func viewUserEvent(e *webconferencing.Event) (json.RawMessage, error) {
	switch e.Type {
	case webconferencing.EventNoted, webconferencing.EventData, webconferencing.EventHistory:
		return nil, nil
	}
	v := userEventView{
		EventType: string(e.Type), CallID: string(e.CallID), ProviderType: e.Provider,
		Owner: refView{ID: e.Owner.ID, Type: string(e.Owner.Type)},
		Epoch: e.Epoch, Version: e.Version, Time: wireTime(e.Time), Title: e.Title,
		Reason: string(e.Reason), Cause: string(e.Cause), Actor: string(e.Actor),
		Waiting: e.Waiting, Silent: e.Silent, Count: e.Count,
		Ring: string(e.Ring), Legs: viewLegs(e.Legs),
	}
	if e.Type == webconferencing.EventState {
		v.CallState = string(e.State)
	}
	if e.Part != "" {
		v.Part = &idView{ID: string(e.Part)}
		v.ClientID = orNil(string(e.Client))
	}
	return json.Marshal(v)
}

// isCredential tells whether a member of call data must not travel: the
// sender's token is a key to his account, and the sender himself is named by
// the server.
func isCredential(name string) bool {
	return name == "exoToken" || name == "exoId" || name == "exoClientId"
}

// cleanData returns call data without the members that the server decides
// about.
func cleanData(data json.RawMessage) (json.RawMessage, wire.Object, error) {
	obj, err := wire.ParseObject(data, wire.Limits{})
	if err != nil {
		return nil, nil, argumentFault("data", err)
	}
	return encodeObject(obj, isCredential), obj, nil
}

// stampData returns call data with its true sender.
func stampData(e *webconferencing.Event) (json.RawMessage, error) {
	obj, err := wire.ParseObject(e.Data, wire.Limits{Values: 1 << 20, Depth: 64})
	if err != nil {
		return nil, err
	}
	sender, err := json.Marshal(string(e.Actor))
	if err != nil {
		return nil, err
	}
	client, err := json.Marshal(string(e.Client))
	if err != nil {
		return nil, err
	}
	stamped := make(wire.Object, 0, len(obj)+2)
	for _, m := range obj {
		if !isCredential(m.Name) {
			stamped = append(stamped, m)
		}
	}
	stamped = append(stamped, wire.Member{Name: "exoId", Value: sender}, wire.Member{Name: "exoClientId", Value: client})
	return encodeObject(stamped, nil), nil
}

// encodeObject forms an object from members whose values are valid JSON,
// leaving those out that skip selects.
func encodeObject(obj wire.Object, skip func(name string) bool) json.RawMessage {
	size := 2
	for _, m := range obj {
		size += len(m.Name) + len(m.Value) + 4
	}
	b := append(make([]byte, 0, size), '{')
	for _, m := range obj {
		if skip != nil && skip(m.Name) {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		name, err := json.Marshal(m.Name)
		if err != nil {
			continue // can't happen: the name is a string
		}
		b = append(append(b, name...), ':')
		b = append(b, m.Value...)
	}
	return append(b, '}')
}
