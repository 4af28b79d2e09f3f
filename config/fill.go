package config

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Fill puts values into the fields of a struct that have a tag like these:
//
//	type options struct {
//		URL    string        `config:"url,required"`
//		Secret string        `config:"secret,required"`
//		Size   int           `config:"size"`
//		Wait   time.Duration `config:"wait"` // 30s, or a number of seconds
//		Names  []string      `config:"names"` // separated by commas
//		Active bool          `config:"active"`
//	}
//
// The key is the prefix and the tag's name. A field whose key is missing or
// empty keeps what it has, unless it is required. Fields may be strings, bools,
// whole and other numbers, durations and slices of strings. target must point
// to a struct. All faults are reported at once; after one the struct is
// unchanged.
func (v *Values) Fill(prefix string, target any) error {
	to := reflect.ValueOf(target)
	if to.Kind() != reflect.Pointer || to.IsNil() || to.Elem().Kind() != reflect.Struct {
		return fmt.Errorf("config: target is %T, not a pointer to a struct", target)
	}
	filled := reflect.New(to.Elem().Type()).Elem()
	filled.Set(to.Elem())
	var faults []error
	for i := range filled.NumField() {
		tag, ok := filled.Type().Field(i).Tag.Lookup("config")
		if !ok {
			continue
		}
		name, rest, _ := strings.Cut(tag, ",")
		faults = append(faults, v.fillField(prefix+name, rest == "required", filled.Field(i)))
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	to.Elem().Set(filled)
	return nil
}

func (v *Values) fillField(key string, required bool, field reflect.Value) error {
	if !field.CanSet() {
		return fmt.Errorf("config: the field of %s is not exported", key)
	}
	text, _, err := v.Lookup(key)
	if required {
		text, err = v.Required(key)
	}
	if err != nil || strings.TrimSpace(text) == "" {
		return err
	}
	if problem := set(field, text); problem != "" {
		return fmt.Errorf("config: %s %s", key, problem)
	}
	return nil
}

// set says what is wrong with a text, without showing it.
func set(field reflect.Value, text string) (problem string) {
	word := strings.TrimSpace(text)
	if field.Type() == reflect.TypeFor[time.Duration]() {
		d, err := time.ParseDuration(word)
		if seconds, serr := strconv.ParseInt(word, 10, 32); serr == nil {
			d, err = time.Duration(seconds)*time.Second, nil
		}
		if err != nil {
			return "is not a time such as 30s"
		}
		field.SetInt(int64(d))
		return ""
	}
	switch field.Kind() {
	case reflect.String:
		field.SetString(text)
	case reflect.Bool:
		switch strings.ToLower(word) {
		case "true", "yes", "on", "1":
			field.SetBool(true)
		case "false", "no", "off", "0":
			field.SetBool(false)
		default:
			return "is neither true nor false"
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, err := strconv.ParseInt(word, 10, field.Type().Bits())
		if err != nil {
			return "is not a whole number"
		}
		field.SetInt(n)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, err := strconv.ParseUint(word, 10, field.Type().Bits())
		if err != nil {
			return "is not a whole number from 0"
		}
		field.SetUint(n)
	case reflect.Float32, reflect.Float64:
		n, err := strconv.ParseFloat(word, field.Type().Bits())
		if err != nil {
			return "is not a number"
		}
		field.SetFloat(n)
	case reflect.Slice:
		if field.Type().Elem().Kind() != reflect.String {
			return "can't be read into " + field.Type().String()
		}
		list := reflect.MakeSlice(field.Type(), 0, 4)
		for item := range strings.SplitSeq(text, ",") {
			if item = strings.TrimSpace(item); item != "" {
				list = reflect.Append(list, reflect.ValueOf(item).Convert(field.Type().Elem()))
			}
		}
		field.Set(list)
	default:
		return "can't be read into " + field.Type().String()
	}
	return ""
}
