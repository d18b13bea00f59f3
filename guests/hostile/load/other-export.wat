;; A program, but not a workflow.
(component
  (core module $m (func (export "run") (result i32) (i32.const 0)))
  (core instance $i (instantiate $m))
  (func $run (result u32) (canon lift (core func $i "run")))
  (instance $run-it (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $run-it)))
