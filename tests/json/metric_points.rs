//! Arbitrary metrics requests: every kind of data with its points and exemplars.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric,
    NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, exemplar, number_data_point,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::arbitrary::{attributes, double, resource, scope, span_id, text, trace_id, whole};

fn exemplar() -> BoxedStrategy<Exemplar> {
    let value = option::of(prop_oneof![
        double().prop_map(exemplar::Value::AsDouble),
        whole().prop_map(|value| exemplar::Value::AsInt(value.cast_signed())),
    ]);
    (attributes(), whole(), span_id(), trace_id(), value)
        .prop_map(|(filtered_attributes, time_unix_nano, span_id, trace_id, value)| Exemplar {
            filtered_attributes,
            time_unix_nano,
            span_id,
            trace_id,
            value,
        })
        .boxed()
}

fn number_point() -> BoxedStrategy<NumberDataPoint> {
    let value = option::of(prop_oneof![
        double().prop_map(number_data_point::Value::AsDouble),
        whole().prop_map(|value| number_data_point::Value::AsInt(value.cast_signed())),
    ]);
    (attributes(), whole(), whole(), vec(exemplar(), 0..2), any::<u32>(), value)
        .prop_map(|(attributes, start_time_unix_nano, time_unix_nano, exemplars, flags, value)| NumberDataPoint {
            attributes,
            start_time_unix_nano,
            time_unix_nano,
            exemplars,
            flags,
            value,
        })
        .boxed()
}

fn extremes() -> BoxedStrategy<[Option<f64>; 3]> {
    [option::of(double()), option::of(double()), option::of(double())].boxed()
}

fn histogram_point() -> BoxedStrategy<HistogramDataPoint> {
    let times = [whole(), whole(), whole()];
    let buckets = (vec(whole(), 0..4), vec(double(), 0..4));
    (attributes(), times, extremes(), buckets, vec(exemplar(), 0..2), any::<u32>())
        .prop_map(|(attributes, times, extremes, buckets, exemplars, flags)| {
            let [start_time_unix_nano, time_unix_nano, count] = times;
            let [sum, min, max] = extremes;
            let (bucket_counts, explicit_bounds) = buckets;
            HistogramDataPoint {
                attributes,
                start_time_unix_nano,
                time_unix_nano,
                count,
                sum,
                bucket_counts,
                explicit_bounds,
                exemplars,
                flags,
                min,
                max,
            }
        })
        .boxed()
}

fn buckets() -> BoxedStrategy<Option<Buckets>> {
    let buckets =
        (any::<i32>(), vec(whole(), 0..4)).prop_map(|(offset, bucket_counts)| Buckets { offset, bucket_counts });
    option::of(buckets).boxed()
}

fn exponential_point() -> BoxedStrategy<ExponentialHistogramDataPoint> {
    let numbers = [whole(), whole(), whole(), whole()];
    let sides = (buckets(), buckets(), any::<i32>(), double());
    (attributes(), numbers, extremes(), sides, vec(exemplar(), 0..2), any::<u32>())
        .prop_map(|(attributes, numbers, extremes, sides, exemplars, flags)| {
            let [start_time_unix_nano, time_unix_nano, count, zero_count] = numbers;
            let [sum, min, max] = extremes;
            let (positive, negative, scale, zero_threshold) = sides;
            ExponentialHistogramDataPoint {
                attributes,
                start_time_unix_nano,
                time_unix_nano,
                count,
                sum,
                scale,
                zero_count,
                positive,
                negative,
                flags,
                exemplars,
                min,
                max,
                zero_threshold,
            }
        })
        .boxed()
}

fn summary_point() -> BoxedStrategy<SummaryDataPoint> {
    let quantile = (double(), double()).prop_map(|(quantile, value)| ValueAtQuantile { quantile, value });
    (attributes(), [whole(), whole(), whole()], double(), vec(quantile, 0..3), any::<u32>())
        .prop_map(|(attributes, numbers, sum, quantile_values, flags)| {
            let [start_time_unix_nano, time_unix_nano, count] = numbers;
            SummaryDataPoint { attributes, start_time_unix_nano, time_unix_nano, count, sum, quantile_values, flags }
        })
        .boxed()
}

fn data() -> BoxedStrategy<Option<Data>> {
    let temporality = || -1..4_i32;
    let gauge = vec(number_point(), 0..3).prop_map(|data_points| Data::Gauge(Gauge { data_points }));
    let sum = (vec(number_point(), 0..3), temporality(), any::<bool>()).prop_map(
        |(data_points, aggregation_temporality, is_monotonic)| {
            Data::Sum(Sum { data_points, aggregation_temporality, is_monotonic })
        },
    );
    let histogram = (vec(histogram_point(), 0..3), temporality()).prop_map(|(data_points, aggregation_temporality)| {
        Data::Histogram(Histogram { data_points, aggregation_temporality })
    });
    let exponential =
        (vec(exponential_point(), 0..3), temporality()).prop_map(|(data_points, aggregation_temporality)| {
            Data::ExponentialHistogram(ExponentialHistogram { data_points, aggregation_temporality })
        });
    let summary = vec(summary_point(), 0..3).prop_map(|data_points| Data::Summary(Summary { data_points }));
    option::weighted(0.9, prop_oneof![gauge, sum, histogram, exponential, summary]).boxed()
}

pub(crate) fn metrics() -> BoxedStrategy<ExportMetricsServiceRequest> {
    let metric = (text(), text(), text(), attributes(), data())
        .prop_map(|(name, description, unit, metadata, data)| Metric { name, description, unit, metadata, data });
    let scope_metrics = (scope(), vec(metric, 0..3), text()).prop_map(|(scope, metrics, schema_url)| ScopeMetrics {
        scope,
        metrics,
        schema_url,
    });
    let resource_metrics = (resource(), vec(scope_metrics, 0..3), text())
        .prop_map(|(resource, scope_metrics, schema_url)| ResourceMetrics { resource, scope_metrics, schema_url });
    vec(resource_metrics, 0..3).prop_map(|resource_metrics| ExportMetricsServiceRequest { resource_metrics }).boxed()
}
