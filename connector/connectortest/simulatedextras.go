package connectortest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/webconferencing/webconferencing"
)

// StartRecording implements [webconferencing.Recorder].
func (s *Simulated) StartRecording(ctx context.Context, r webconferencing.MeetingRequest, _ webconferencing.Actor) error {
	if err := s.do(ctx, "StartRecording"); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.meetings[roomKey(r.Call.ID, r.Call.Epoch)]; m != nil {
		m.records = append(m.records, webconferencing.Recording{
			ID: fmt.Sprintf("rec-%d", len(m.records)+1), Title: r.Call.Title, URL: "https://meet.example/recording", Started: time.Now(),
		})
	}
	return nil
}

// StopRecording implements [webconferencing.Recorder].
func (s *Simulated) StopRecording(ctx context.Context, r webconferencing.MeetingRequest, _ webconferencing.Actor) error {
	if err := s.do(ctx, "StopRecording"); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.meetings[roomKey(r.Call.ID, r.Call.Epoch)]; m != nil {
		for i := range m.records {
			m.records[i].Finished = true
		}
	}
	return nil
}

// Recordings implements [webconferencing.Recorder].
func (s *Simulated) Recordings(ctx context.Context, r webconferencing.MeetingRequest, _ webconferencing.Actor) ([]webconferencing.Recording, error) {
	if err := s.do(ctx, "Recordings"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.meetings[roomKey(r.Call.ID, r.Call.Epoch)]; m != nil {
		return slices.Clone(m.records), nil
	}
	return nil, nil
}

// DeleteRecording implements [webconferencing.Recorder].
func (s *Simulated) DeleteRecording(ctx context.Context, r webconferencing.MeetingRequest, _ webconferencing.Actor, id string) error {
	if err := s.do(ctx, "DeleteRecording"); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.meetings[roomKey(r.Call.ID, r.Call.Epoch)]
	if m == nil || !slices.ContainsFunc(m.records, func(rec webconferencing.Recording) bool { return rec.ID == id }) {
		return &webconferencing.Error{Code: webconferencing.CodeNotFound, Message: "no such recording"}
	}
	m.records = slices.DeleteFunc(m.records, func(rec webconferencing.Recording) bool { return rec.ID == id })
	return nil
}

// Busy implements [webconferencing.AvailabilitySource]: users are busy in the
// first and the last ten minutes of what is asked for, and before.
func (s *Simulated) Busy(ctx context.Context, _ webconferencing.UserID, within webconferencing.Interval) ([]webconferencing.Interval, error) {
	if err := s.do(ctx, "Busy"); err != nil {
		return nil, err
	}
	const bit = 10 * time.Minute
	return []webconferencing.Interval{
		{From: within.To.Add(-bit), To: within.To.Add(bit)}, {From: within.From.Add(-bit), To: within.From.Add(bit / 2)},
		{From: within.From, To: within.From.Add(bit)},
	}, nil
}

// PhoneNumbers implements [webconferencing.Telephone].
func (s *Simulated) PhoneNumbers(ctx context.Context, _ webconferencing.MeetingRequest) ([]webconferencing.PhoneNumber, error) {
	if err := s.do(ctx, "PhoneNumbers"); err != nil {
		return nil, err
	}
	return []webconferencing.PhoneNumber{{Country: "DE", Number: "+49301234567", PIN: "1234", Title: "Berlin"}}, nil
}

// DialOut implements [webconferencing.Telephone].
func (s *Simulated) DialOut(ctx context.Context, _ webconferencing.MeetingRequest, _ webconferencing.Actor, _ string) error {
	return s.do(ctx, "DialOut")
}

// InfoItems implements [webconferencing.InfoPanel].
func (s *Simulated) InfoItems(ctx context.Context, r webconferencing.MeetingRequest, _ webconferencing.Actor) ([]webconferencing.InfoItem, error) {
	if err := s.do(ctx, "InfoItems"); err != nil {
		return nil, err
	}
	return []webconferencing.InfoItem{{Title: "Room", Text: string(r.Call.ID), URL: "https://meet.example/info"}}, nil
}

// ConnectAccount implements [webconferencing.AccountConnector].
func (s *Simulated) ConnectAccount(ctx context.Context, _ webconferencing.Actor, redirect, state string) (string, error) {
	if err := s.do(ctx, "ConnectAccount"); err != nil {
		return "", err
	}
	return "https://meet.example/oauth?" + url.Values{"redirect_uri": {redirect}, "state": {state}}.Encode(), nil
}

// FinishAccount implements [webconferencing.AccountConnector]. The code "good"
// is.
func (s *Simulated) FinishAccount(ctx context.Context, by webconferencing.Actor, _ string, params map[string][]string) (webconferencing.Credential, error) {
	if err := s.do(ctx, "FinishAccount"); err != nil {
		return webconferencing.Credential{}, err
	}
	if len(params["code"]) != 1 || params["code"][0] != "good" {
		return webconferencing.Credential{}, &webconferencing.Error{Code: webconferencing.CodeDenied, Message: "the account was not connected"}
	}
	data, err := json.Marshal(map[string]string{"token": "of " + string(by.User)})
	return webconferencing.Credential{Data: data}, err
}

// RevokeAccount implements [webconferencing.AccountConnector].
func (s *Simulated) RevokeAccount(ctx context.Context, _ webconferencing.Actor, _ webconferencing.Credential) error {
	return s.do(ctx, "RevokeAccount")
}
