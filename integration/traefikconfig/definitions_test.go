package traefikconfig

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// conforms requires that an object is one that Traefik's custom resource definitions allow.
func conforms(t *testing.T, o object) {
	t.Helper()
	for _, violation := range violations(fmt.Sprint(o["kind"]), definition(t, o), o) {
		t.Error(violation)
	}
}

// TestDefinitionsAreStrict requires that what does not conform is found.
func TestDefinitionsAreStrict(t *testing.T) {
	route := object{"match": "Host(`shop.example`)", "kind": "Regel", "priority": "high", "middleware": []any{object{}}}
	o := object{
		"apiVersion": "traefik.io/v1alpha1", "kind": "IngressRoute", "metadata": object{"name": "shop"},
		"spec": object{"routes": []any{route, object{}}, "parentRefs": object{"name": "shop"}},
	}
	want := []string{
		"IngressRoute.spec.parentRefs: map[name:shop] is no array",
		"IngressRoute.spec.routes[0].kind: Regel is none of [Rule]",
		"IngressRoute.spec.routes[0].middleware: unknown field",
		"IngressRoute.spec.routes[0].priority: high is no integer",
		"IngressRoute.spec.routes[1] lacks match",
	}
	got := violations("IngressRoute", definition(t, o), o)
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// definition is the schema of an object's kind, from the version of Traefik that is tested.
func definition(t *testing.T, o object) object {
	t.Helper()
	list := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/traefik/traefik/v3")
	list.Dir = filepath.Join(checkout, "integration", "tools", "traefik")
	dir, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	const file = "/docs/content/reference/dynamic-configuration/kubernetes-crd-definition-v1.yml"
	content, err := os.ReadFile(strings.TrimSpace(string(dir)) + file)
	if err != nil {
		t.Fatal(err)
	}
	for _, definition := range documents(t, string(content)) {
		spec := definition["spec"].(object)
		for _, version := range spec["versions"].([]any) {
			v := version.(object)
			if spec["names"].(object)["kind"] == o["kind"] && fmt.Sprint(spec["group"], "/", v["name"]) == o["apiVersion"] {
				return v["schema"].(object)["openAPIV3Schema"].(object)
			}
		}
	}
	t.Fatalf("%v %v: Traefik defines no such kind", o["apiVersion"], o["kind"])
	return nil
}

// violations says where a value departs from a schema: in its type, required and unknown fields, and enumerations.
func violations(path string, schema object, value any) []string {
	if schema["x-kubernetes-preserve-unknown-fields"] == true || schema["x-kubernetes-int-or-string"] == true {
		return nil
	}
	if choices, ok := schema["enum"].([]any); ok && !slices.Contains(choices, value) {
		return []string{fmt.Sprintf("%s: %v is none of %v", path, value, choices)}
	}
	if fits := map[any]bool{
		"object": is[object](value), "array": is[[]any](value), "string": is[string](value), "boolean": is[bool](value), "integer": is[int](value),
	}; !fits[schema["type"]] {
		return []string{fmt.Sprintf("%s: %v is no %v", path, value, schema["type"])}
	}
	var list []string
	switch v := value.(type) {
	case object:
		required, _ := schema["required"].([]any)
		for _, key := range required {
			if _, there := v[key.(string)]; !there {
				list = append(list, fmt.Sprintf("%s lacks %v", path, key))
			}
		}
		properties, closed := schema["properties"].(object)
		additional, _ := schema["additionalProperties"].(object)
		for key, field := range v {
			property, known := properties[key].(object)
			switch {
			case known:
				list = append(list, violations(path+"."+key, property, field)...)
			case additional != nil:
				list = append(list, violations(path+"."+key, additional, field)...)
			case closed: // metadata is an object of which the definition says no more
				list = append(list, fmt.Sprintf("%s.%s: unknown field", path, key))
			}
		}
	case []any:
		items, _ := schema["items"].(object)
		for i, element := range v {
			list = append(list, violations(fmt.Sprintf("%s[%d]", path, i), items, element)...)
		}
	}
	return list
}

func is[T any](value any) bool {
	_, ok := value.(T)
	return ok
}
