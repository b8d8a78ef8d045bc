package web

import (
	"fmt"
	"reflect"
)

// CheckConfig returns an error that names the first field of cfg, a struct, that is not set.
func CheckConfig(cfg any) error {
	v := reflect.ValueOf(cfg)
	for field, value := range v.Fields() {
		if value.IsZero() {
			return fmt.Errorf("%s: %s is not set", v.Type(), field.Name)
		}
	}
	return nil
}
