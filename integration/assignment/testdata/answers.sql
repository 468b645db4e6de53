-- Follows the functions of docs/assignment.md: answers the vectors in the table given(vectors jsonb) in their own shape.
CREATE FUNCTION names(variants jsonb) RETURNS text[] LANGUAGE sql AS $$
  SELECT array_agg(v->>'name' ORDER BY n) FROM jsonb_array_elements(variants) WITH ORDINALITY AS t(v, n)
$$;

CREATE FUNCTION percent(text text) RETURNS numeric LANGUAGE sql AS $$ SELECT rtrim(text, '%')::numeric $$;

CREATE FUNCTION weights(variants jsonb) RETURNS numeric[] LANGUAGE sql AS $$
  SELECT array_agg(percent(v->>'weight') ORDER BY n) FROM jsonb_array_elements(variants) WITH ORDINALITY AS t(v, n)
$$;

CREATE FUNCTION cases(list text) RETURNS TABLE (v jsonb, n bigint) LANGUAGE sql AS $$
  SELECT t.v, t.n FROM given, jsonb_array_elements(vectors->list) WITH ORDINALITY AS t(v, n)
$$;

SELECT jsonb_build_object(
  'slots', (SELECT jsonb_agg(jsonb_build_object('slot', rollout_slot(v->>'salt', v->>'key')) ORDER BY n) FROM cases('slots')),
  'weights', (SELECT jsonb_agg(jsonb_build_object('slots', rollout_slots(percent(v->>'weight'))) ORDER BY n) FROM cases('weights')),
  'splits', (SELECT jsonb_agg(jsonb_build_object('slot', slot, 'variant', rollout_variant(slot, names(v->'variants'), weights(v->'variants'))) ORDER BY n)
             FROM (SELECT v, n, rollout_slot(v->>'salt', v->>'key') AS slot FROM cases('splits')) AS placed),
  'rules', (SELECT jsonb_agg(jsonb_build_object('slot', slot, 'in', slot < rollout_slots(percent(v->>'percent'))) ORDER BY n)
            FROM (SELECT v, n, rollout_slot(concat(v->>'salt', '/', v->>'rule'), v->>'key') AS slot FROM cases('rules')) AS placed),
  'keys', (SELECT jsonb_agg(jsonb_build_object('variant', rollout_variant(rollout_slot(v->>'salt', nullif(v->>'key', '')),
             names(v->'variants'), weights(v->'variants'))) ORDER BY n) FROM cases('keys')));
