import { Page } from "./Page";

// Airflow imports this file, then takes the component from this global.
Reflect.set(globalThis, "AirflowPlugin", Page);
