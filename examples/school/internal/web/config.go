package web

import (
	"fmt"
	"reflect"
	"slices"
)

// CheckConfig returns an error that names the first field of cfg, a struct, that is not set and not
// in optional.
func CheckConfig(cfg any, optional ...string) error {
	v := reflect.ValueOf(cfg)
	for field, value := range v.Fields() {
		if value.IsZero() && !slices.Contains(optional, field.Name) {
			return fmt.Errorf("%s: %s is not set", v.Type(), field.Name)
		}
	}
	return nil
}
